import { refuse } from "../refuse.js";
import { hostName } from "./plain-http.js";

/** A credential for a registry: a user name with a password, an identity token, or a bearer token. */
export type RegistryCredential =
  | { readonly username: string; readonly password: string }
  /**
   * An OAuth2 refresh token, which docker calls an identity token. The registry's token service exchanges it
   * for a short-lived bearer token.
   */
  | { readonly identityToken: string }
  /** A bearer token. It is sent unchanged. */
  | { readonly registryToken: string };

/**
 * Credentials by registry host, with the port if there is one.
 *
 * @example
 * ```ts
 * const auth: RegistryAuth = { "registry.example.com:5000": { username, password } };
 * ```
 */
export type RegistryAuth = Readonly<Record<string, RegistryCredential>>;

/** What a {@link CredentialProvider} gets besides the host. */
export interface CredentialOptions {
  /** Aborted when the transfer is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the credential for a host.
 *
 * @param host as in a reference: `docker.io`, `registry.example.com:5000`. For a mirror, it is the mirror's
 * own host.
 * @returns undefined if there is no credential for the host.
 */
export type CredentialProvider = (
  host: string,
  options?: CredentialOptions,
) => Promise<RegistryCredential | undefined>;

/** Finds no credential for any host: every request is anonymous. */
export const anonymousCredentials: CredentialProvider = async () => undefined;

/**
 * Combines providers. They are asked in order; the first that has a credential for the host wins.
 *
 * @example
 * ```ts
 * const auth = firstCredential(myVault, dockerCredentials());
 * await client.images.pull("registry.example.com/app:1", { auth });
 * ```
 */
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
 * Returns a provider that reads a table of credentials.
 *
 * @throws ContainerdError `invalid-argument` for a key that is not a host (for example a URL), a host that is
 * given twice, or a credential that cannot be used.
 */
export function credentialsOf(auth: RegistryAuth): CredentialProvider {
  const byHost = new Map<string, RegistryCredential>();
  for (const [host, credential] of Object.entries(auth)) {
    const key = canonicalHost(host);
    if (/[/@\s]/.test(host) || host === "")
      refuseHost(host, "is not a registry", "a host, or host:port, for example registry.example.com:5000");
    if (byHost.has(key)) refuseHost(host, "is given twice", "one credential for each registry");
    byHost.set(key, checkCredential(host, credential));
  }
  return async (host) => byHost.get(canonicalHost(host));
}

const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** Normalizes a registry host: lower case, without port 443, and with one name for Docker Hub. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase().replace(/:443$/, "");
  return DOCKER_HUB.has(hostName(lower)) ? "docker.io" : lower;
}

function checkCredential(host: string, credential: RegistryCredential): RegistryCredential {
  const { username, password, identityToken, registryToken } = credential as Record<string, unknown>;
  const given = [password, identityToken, registryToken].filter((value) => value !== undefined);
  if (given.length !== 1 || typeof given[0] !== "string" || given[0] === "") {
    refuseHost(
      host,
      "has no valid credential",
      "one of: username and password; identityToken; registryToken",
    );
  }
  if (password !== undefined && (typeof username !== "string" || username === "" || username.includes(":"))) {
    refuseHost(host, "has no valid user name", "a user name without a colon");
  }
  return credential;
}

function refuseHost(host: string, problem: string, allowed: string): never {
  return refuse(`auth: ${JSON.stringify(host.replace(/.*@/, "…@"))} ${problem}`, allowed);
}
