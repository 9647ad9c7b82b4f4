import type { IdMapping, User } from "./spec.js";

/** Whom a step's process runs as; `core/user.ts` makes one from names. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[] | undefined;
  /** Bits that new files lack. Default: the shim's, 0o022. */
  readonly umask?: number | undefined;
}

/**
 * The `user` of a spec. Its own group is among the additional ones, as docker and containerd have it: without it, a group that may do
 * less than others could be left behind (CVE-2022-36109).
 */
export function createUser({ uid, gid, additionalGids = [], umask }: ProcessUser): User {
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...additionalGids])],
    ...(umask === undefined ? {} : { umask }),
  };
}

/** Who a process is on the daemon's machine: somebody else, where the container has a user namespace. */
export function toHostUser(
  { uid, gid }: ProcessUser,
  namespace:
    | { readonly uidMappings: readonly IdMapping[]; readonly gidMappings: readonly IdMapping[] }
    | undefined,
): { uid: number; gid: number } {
  const toHost = (id: number, mappings: readonly IdMapping[] = []): number => {
    const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
    return found === undefined ? id : found.hostID + id - found.containerID;
  };
  return { uid: toHost(uid, namespace?.uidMappings), gid: toHost(gid, namespace?.gidMappings) };
}
