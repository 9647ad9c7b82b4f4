import type { CallOptions } from "../call.js";
import { ContainerdError } from "../error.js";
import { parseReference, type Reference } from "../oci/reference.js";
import type { RegistryCredential } from "./credential.js";
import { openRepository, type RegistryOptions } from "./repository.js";
import { withTimeLimit } from "./time-limit.js";

export type CheckLoginOptions = Omit<RegistryOptions, "auth"> & CallOptions;

/**
 * Asks a registry whether it knows a credential, as `docker login` does: by the root of its API. One that lets everybody in there says yes
 * to anything.
 *
 * @param host as in a reference: `docker.io`, `registry.example.com:5000`.
 * @throws ContainerdError `unauthenticated` when it does not; `invalid-argument` for what is no host; and as a pull does.
 */
export async function checkRegistryLogin(
  host: string,
  credential: RegistryCredential,
  options: CheckLoginOptions = {},
): Promise<void> {
  const reference = toReference(host);
  await withTimeLimit(`log in at ${reference.domain}`, options, async (signal) => {
    const auth = async (): Promise<RegistryCredential> => credential;
    await using repository = await openRepository(reference, { ...options, auth });
    // Mirrors come before it, and have credentials of their own.
    const endpoint = repository.endpoints("resolve").at(-1) ?? repository.endpoints("pull").at(-1);
    if (endpoint === undefined) {
      const problem = `no host of ${reference.domain} may be asked; allowed: one with a capability in hosts.toml`;
      throw new ContainerdError(problem, { kind: "failed-precondition" });
    }
    const root = new URL(`${endpoint.host.path}/`, endpoint.host.origin);
    const response = await repository.askOne(endpoint, { method: "GET", to: root, scopes: [], signal });
    await response.discard();
  });
}

/** Whatever the host is, a reference needs a repository. */
function toReference(host: string): Reference {
  // Without a dot or a port, it would be read as a part of the name.
  const isHost = /^[A-Za-z0-9.:[\]-]+$/.test(host) && (/[.:]/.test(host) || host === "localhost");
  if (isHost) return parseReference(`${host}/login`);
  throw new ContainerdError(
    `registry: ${JSON.stringify(host.replace(/.*@/, "…@").slice(0, 200))} is no registry; allowed: a host, and its port if it has one: registry.example.com:5000`,
    { kind: "invalid-argument" },
  );
}
