import { CALL_OPTIONS, type CallOptions } from "../call.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import { ContainerdError } from "../error.js";
import { parseReference } from "../oci/reference.js";
import { checkOptions, type OptionNames } from "../options.js";
import { canonicalHost, type RegistryCredential } from "./credential.js";
import type { Endpoint } from "./endpoint.js";
import { parseRegistryName } from "./registry-name.js";
import { openRepository, REGISTRY_OPTIONS, type RegistryOptions, type Repository } from "./repository.js";

/** Options for {@link checkRegistryLogin}. */
export type CheckLoginOptions = Omit<RegistryOptions, "auth"> & CallOptions;

const { auth: _, ...WITHOUT_AUTH } = REGISTRY_OPTIONS;
const OPTIONS: OptionNames<CheckLoginOptions> = { ...CALL_OPTIONS, ...WITHOUT_AUTH };

/**
 * Checks a credential at a registry, as `docker login` does: with a request to the root of the API. A
 * registry that allows anonymous access to the root accepts any credential. The credential is sent only to
 * the registry's own host, even if hosts.toml names other hosts for its content.
 *
 * @param host as in a reference: `docker.io`, `registry.example.com:5000`; or its URL: see {@link
 * parseRegistryName}.
 * @throws ContainerdError `unauthenticated` if the registry rejects the credential; `permission-denied` if
 * hosts.toml names only other hosts; `invalid-argument` for an invalid host; and the errors of a pull.
 *
 * @example
 * ```ts
 * await checkRegistryLogin("registry.example.com", { username, password });
 * await storeDockerCredential("registry.example.com", { username, password });
 * ```
 */
export async function checkRegistryLogin(
  host: string,
  credential: RegistryCredential,
  options: CheckLoginOptions = {},
): Promise<void> {
  checkOptions("checkRegistryLogin", options, OPTIONS);
  // A reference needs a repository; its name does not matter.
  const reference = parseReference(`${parseRegistryName(host)}/login`);
  await withTimeLimit(`log in at ${reference.domain}`, options, async (signal) => {
    const auth = async (): Promise<RegistryCredential> => credential;
    await using repository = await openRepository(reference, { ...options, auth });
    const endpoint = ownEndpoint(repository);
    const root = new URL(`${endpoint.host.path}/`, endpoint.host.origin);
    const response = await repository.askOne(endpoint, {
      method: "GET",
      to: root,
      scopes: [],
      about: { resource: "login" },
      signal,
    });
    await response.discard();
  });
}

/** The registry's own host. Mirrors and other servers have their own credentials. */
function ownEndpoint({ reference: { domain }, endpoints }: Repository): Endpoint {
  const all = (["pull", "resolve", "push"] as const).flatMap(endpoints);
  const own = all.find(({ isMirror }) => !isMirror);
  if (own !== undefined) return own;
  const others = [...new Set(all.map(({ host }) => canonicalHost(new URL(host.origin).host)))].join(", ");
  throw new ContainerdError(
    `the credential for ${domain} is not sent to ${others === "" ? "another host" : others}, which replaces it in hosts.toml; log in with that host's own name instead`,
    { kind: "permission-denied" },
  );
}
