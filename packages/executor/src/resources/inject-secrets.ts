import type { Client } from "@wfe-containerd/client";
import type { ProcessUser } from "../core/spec/user.js";
import { type Secret, secretEntries } from "../core/step/secret.js";
import { unpackAt } from "./unpack-archive.js";

/** The owner of files, with the ids of the daemon's machine. */
export type HostUser = Pick<ProcessUser, "uid" | "gid">;

/**
 * Writes a step's secrets into the tmpfs that its container has for them.
 *
 * The task is created but not started: its mounts exist, and none of the step's code runs. The container's
 * files are reached through `/proc/<pid>/root`.
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
    // The archive's record is deleted. Its blob would stay on disk until the next garbage collection.
    await leased.leases.collectGarbage();
  }
}
