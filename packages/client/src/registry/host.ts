import { canonicalHost } from "./credential.js";
import type { HttpTls } from "./http.js";
import { isLoopback } from "./plain-http.js";
import { checkPort } from "./registry-name.js";

/** What a host is trusted to do: `resolve` a tag to a digest, serve content by its digest (`pull`), take content (`push`). */
export type HostCapability = "pull" | "resolve" | "push";

/** A place that serves a registry's content: the registry itself, or a mirror. */
export interface RegistryHost {
  /** `https://registry.example.com:5000` */
  readonly origin: string;
  /** Where the API begins: `/v2`. */
  readonly path: string;
  readonly capabilities: ReadonlySet<HostCapability>;
  /** Sent with every request to this host, and nowhere else. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: HttpTls;
  /** Milliseconds until a connection must stand; undefined for the client's own. */
  readonly dialTimeoutMs?: number | undefined;
}

/**
 * Finds who serves a registry's content, in the order in which they are asked.
 *
 * @param registry as in a reference: `docker.io`, `registry.example.com:5000`.
 */
export type RegistryHosts = (registry: string) => Promise<readonly RegistryHost[]>;

export const ALL_CAPABILITIES: ReadonlySet<HostCapability> = new Set<HostCapability>([
  "pull",
  "resolve",
  "push",
]);
export const DEFAULT_TLS: HttpTls = { ca: [], clientPairs: [], skipVerify: false };

/**
 * The registry itself, where nothing else is configured: https; plain http for a registry on this machine and for those that are
 * named as plain. Port 443 is always https.
 *
 * @throws ContainerdError `invalid-argument` for a port that cannot be.
 */
export function defaultHost(
  registry: string,
  mayBePlain: ReadonlySet<string>,
  tls: HttpTls = DEFAULT_TLS,
): RegistryHost {
  const name = canonicalHost(registry) === "docker.io" ? "registry-1.docker.io" : registry;
  checkPort("image: registry", name);
  const hasTls = tls.ca.length > 0 || tls.clientPairs.length > 0 || tls.skipVerify || /:443$/.test(name);
  const isPlain = mayBePlain.has(name) || (isLoopback(name) && !hasTls);
  return {
    origin: `${isPlain ? "http" : "https"}://${name}`,
    path: "/v2",
    capabilities: ALL_CAPABILITIES,
    headers: {},
    tls,
  };
}
