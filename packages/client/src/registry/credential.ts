import { ContainerdError } from "../error.js";
import { hostName } from "./plain-http.js";

/** What a registry is told to let somebody in: one of the three. */
export type RegistryCredential =
  | { readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, which docker calls identity token: exchanged at the registry's token service for a short-lived one. */
  | { readonly identityToken: string }
  /** A bearer token, sent as it is. */
  | { readonly registryToken: string };

/** Credentials by the host of the registry, with its port if it has one: `{ "registry.example.com:5000": { username, password } }`. */
export type RegistryAuth = Readonly<Record<string, RegistryCredential>>;

/**
 * Finds the credential for a host; undefined when there is none.
 *
 * @param host as in a reference: `docker.io`, `registry.example.com:5000`. For a mirror it is the mirror's own.
 */
export type CredentialProvider = (
  host: string,
  options?: { signal?: AbortSignal | undefined },
) => Promise<RegistryCredential | undefined>;

/** Nobody is told who asks. */
export const anonymousCredentials: CredentialProvider = async () => undefined;

/** Asks one provider after the other; the first that knows the host is believed. */
export function firstCredential(...providers: readonly CredentialProvider[]): CredentialProvider {
  return async (host, options) => {
    for (const provide of providers) {
      const found = await provide(host, options);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/**
 * @throws ContainerdError `invalid-argument` for a host that is a URL, or named twice.
 */
export function credentialsOf(auth: RegistryAuth): CredentialProvider {
  const byHost = new Map<string, RegistryCredential>();
  for (const [host, credential] of Object.entries(auth)) {
    const key = canonicalHost(host);
    if (/[/@\s]/.test(host) || host === "")
      refuse(host, "is not a registry", "a host, with its port if it has one: registry.example.com:5000");
    if (byHost.has(key)) refuse(host, "is named twice", "one credential for each registry");
    byHost.set(key, checkCredential(host, credential));
  }
  return async (host) => byHost.get(canonicalHost(host));
}

const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** Lower case, no default port of https, and one name for the docker hub. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase().replace(/:443$/, "");
  return DOCKER_HUB.has(hostName(lower)) ? "docker.io" : lower;
}

function checkCredential(host: string, credential: RegistryCredential): RegistryCredential {
  const { username, password, identityToken, registryToken } = credential as Record<string, unknown>;
  const given = [password, identityToken, registryToken].filter((value) => value !== undefined);
  if (given.length !== 1 || typeof given[0] !== "string" || given[0] === "") {
    refuse(host, "has no usable credential", "username and password, or identityToken, or registryToken");
  }
  if (password !== undefined && (typeof username !== "string" || username === "" || username.includes(":"))) {
    refuse(host, "has no usable user name", "a user name without a colon");
  }
  return credential;
}

function refuse(host: string, problem: string, allowed: string): never {
  throw new ContainerdError(
    `auth: ${JSON.stringify(host.replace(/.*@/, "…@"))} ${problem}; allowed: ${allowed}`,
    {
      kind: "invalid-argument",
    },
  );
}
