import type { Client } from "@wfe-containerd/client";
import type { Secret } from "../core/secret.js";
import type { ProcessUser } from "../core/spec/user.js";
import { unpackAt } from "./unpack-at.js";

/** Who files belong to, as the daemon's machine numbers users. */
export type HostUser = Pick<ProcessUser, "uid" | "gid">;

/** Owner read. */
const FILE_MODE = 0o400;

/**
 * Writes a step's secrets into the file systems in memory that its container has for them.
 *
 * The task is created and not started: its mounts are there, and nothing runs that could put a link in the way. The kernel shows the container's root by
 * its process.
 */
export async function giveSecrets(
  leased: Client,
  { pid }: { readonly pid: number },
  secrets: readonly Secret[],
  { uid, gid }: HostUser,
): Promise<void> {
  if (secrets.length === 0) return;
  const entries = secrets.map(({ target, value }) => ({
    name: target.slice(1),
    contents: value,
    mode: FILE_MODE,
    uid,
    gid,
  }));
  try {
    await unpackAt(leased, `/proc/${pid}/root`, entries);
  } finally {
    // The archive's record is gone; the blob itself is on the disk until the garbage is collected.
    await leased.leases.collectGarbage();
  }
}
