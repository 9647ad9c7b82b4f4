import type { Client } from "@wfe-containerd/client";
import type { ProcessUser } from "../core/spec/user.js";
import { type Secret, secretEntries } from "../core/step/secret.js";
import { unpackAt } from "./unpack-archive.js";

/** Who files belong to, as the daemon's machine numbers users. */
export type HostUser = Pick<ProcessUser, "uid" | "gid">;

/**
 * Writes a step's secrets into the file system in memory that its container has for them.
 *
 * The task is created and not started: its mounts are there, and nothing of the step runs. The kernel shows the container's root by its process.
 */
export async function injectSecrets(
  leased: Client,
  { pid }: { readonly pid: number },
  secrets: readonly Secret[],
  user: HostUser,
): Promise<void> {
  if (secrets.length === 0) return;
  try {
    await unpackAt(leased, `/proc/${pid}/root`, secretEntries(secrets, user));
  } finally {
    // The archive's record is gone; the blob itself is on the disk until the garbage is collected.
    await leased.leases.collectGarbage();
  }
}
