import type { Client } from "@wfe-containerd/client";
import { SECRETS_DIRECTORY } from "../core/policy/reserved-paths.js";
import type { ProcessUser } from "../core/spec/user.js";
import { type Secret, secretEntries } from "../core/step/secret.js";
import type { Machine } from "../machine/machine.js";
import { writeToTmpfs } from "./local-files.js";
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
  { facts }: Pick<Machine, "facts">,
  { pid }: { readonly pid: number },
  secrets: readonly Secret[],
  user: HostUser,
): Promise<void> {
  if (secrets.length === 0) return;
  const entries = secretEntries(secrets, user);
  if (facts.locality === "local" && (await writeToTmpfs(pid, SECRETS_DIRECTORY, entries))) return;
  try {
    await unpackAt(leased, `/proc/${pid}/root`, entries);
  } finally {
    // The archive's record is deleted. Its blob would stay on disk until the next garbage collection.
    await leased.leases.collectGarbage();
  }
}
