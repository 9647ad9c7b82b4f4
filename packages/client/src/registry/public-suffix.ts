import { isIP } from "node:net";

/**
 * Domains whose subdomains belong to unrelated owners, and which the Public Suffix List does not have:
 * registries, hosting, tunnels, and names that stand for an address.
 */
const SHARED =
  "amazonaws.com amazonaws.com.cn azurecr.cn azurecr.io azurecr.us cloudapp.azure.com gitpod.io glitch.me jfrog.io loca.lt localtunnel.me nip.io on.aws pkg.dev railway.app scw.cloud serveo.net sonatype.app sslip.io traefik.me windows.net xip.io your-server.de".split(
    " ",
  );

/**
 * Whether both names are in one domain that belongs to one owner: `example.com`, `example.co.uk`; not `com`,
 * `co.uk`, `github.io`. The Public Suffix List decides (publicsuffix.org), and {@link SHARED}.
 */
export async function shareDomain(a: string, b: string): Promise<boolean> {
  if (isIP(a) !== 0 || isIP(b) !== 0) return false;
  // The list is large, and most registries do not need it, so it is loaded here.
  const { getDomain } = await import("tldts");
  const options = { allowPrivateDomains: true, extractHostname: false, validateHostname: false };
  const [left, right] = [a, b].map((name) => belowShared(name) ?? getDomain(name, options));
  return left != null && left !== "" && left === right;
}

/** The part of a name that one owner of a subdomain has; empty for the shared domain itself. */
function belowShared(name: string): string | undefined {
  const shared = SHARED.find((domain) => name === domain || name.endsWith(`.${domain}`));
  if (shared === undefined) return undefined;
  const labels = name
    .slice(0, -shared.length)
    .split(".")
    .filter((label) => label !== "");
  return labels.length === 0 ? "" : `${labels.at(-1)}.${shared}`;
}
