import type { IdMapping, User } from "./spec.js";

/** The user of a step's process, as numbers. `core/user/user.ts` makes one from names. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[] | undefined;
  /** Permission bits that new files do not get. Default: the shim's, 0o022. */
  readonly umask?: number | undefined;
}

/**
 * Returns the `user` of a spec. Its own group is also among the additional ones, as in docker and containerd.
 * Otherwise a process could drop a group that may do less than others (CVE-2022-36109).
 */
export function createUser({ uid, gid, additionalGids = [], umask }: ProcessUser): User {
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...additionalGids])],
    ...(umask === undefined ? {} : { umask }),
  };
}

/**
 * Returns the ids that a process has on the daemon's machine. In a user namespace, they differ from the
 * container's.
 */
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
