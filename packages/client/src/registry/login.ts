import type { CallOptions } from "../call.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import { ContainerdError } from "../error.js";
import { parseReference } from "../oci/reference.js";
import { canonicalHost, type RegistryCredential } from "./credential.js";
import type { Endpoint } from "./endpoint.js";
import { parseRegistryName } from "./registry-name.js";
import { openRepository, type RegistryOptions, type Repository } from "./repository.js";

export type CheckLoginOptions = Omit<RegistryOptions, "auth"> & CallOptions;

/**
 * Asks a registry whether it knows a credential, as `docker login` does: by the root of its API. One that lets everybody in there says yes
 * to anything. The credential is given to that host alone, whatever hosts.toml says of others that serve its content.
 *
 * @param host as in a reference: `docker.io`, `registry.example.com:5000`; or a URL of it: see {@link parseRegistryName}.
 * @throws ContainerdError `unauthenticated` when it does not; `permission-denied` when hosts.toml has only others to ask; `invalid-argument` for what
 * is no host; and as a pull does.
 */
export async function checkRegistryLogin(
  host: string,
  credential: RegistryCredential,
  options: CheckLoginOptions = {},
): Promise<void> {
  // Whatever the host is, a reference needs a repository.
  const reference = parseReference(`${parseRegistryName(host)}/login`);
  await withTimeLimit(`log in at ${reference.domain}`, options, async (signal) => {
    const auth = async (): Promise<RegistryCredential> => credential;
    await using repository = await openRepository(reference, { ...options, auth });
    const endpoint = ownEndpoint(repository);
    const root = new URL(`${endpoint.host.path}/`, endpoint.host.origin);
    const response = await repository.askOne(endpoint, { method: "GET", to: root, scopes: [], signal });
    await response.discard();
  });
}

/** Others, a mirror or another server, have credentials of their own. */
function ownEndpoint({ reference: { domain }, endpoints }: Repository): Endpoint {
  const all = (["pull", "resolve", "push"] as const).flatMap(endpoints);
  const own = all.find(({ isMirror }) => !isMirror);
  if (own !== undefined) return own;
  const others = [...new Set(all.map(({ host }) => canonicalHost(new URL(host.origin).host)))].join(", ");
  throw new ContainerdError(
    `the credential for ${domain} is not sent to ${others === "" ? "another host" : others}, which hosts.toml names in its place; allowed: to log in at a host by its own name`,
    { kind: "permission-denied" },
  );
}
