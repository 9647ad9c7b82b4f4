import type { Client } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { SECRETS_DIRECTORY } from "../core/policy/reserved-paths.js";
import { emptySlot, type Secret, stepSecretEntries, stepSecretsDirectory } from "../core/step/secret.js";
import type { Machine } from "../machine/machine.js";
import type { HostUser } from "./inject-secrets.js";
import { writeToTmpfs } from "./local-files.js";
import type { Release } from "./release.js";
import { unpackAt } from "./unpack-archive.js";

/** A running container of a session, as its steps' secrets reach it. */
export interface SecretsHost {
  readonly machine: Pick<Machine, "client" | "facts">;
  /** The container's id, which is that of its lease, too. */
  readonly id: string;
  readonly pid: number;
  /** Runs work while the container's processes are frozen. */
  frozen<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Writes the secrets of one step into the memory that the session's container has for them, and removes them
 * when the step is released. Both while the container's processes are frozen: none of them can put a link in
 * the way, and the container cannot end meanwhile and leave its process id to another one.
 *
 * @param slot tells its directory from those of other steps.
 */
export async function giveSecrets(
  { machine, id, pid, frozen }: SecretsHost,
  secrets: readonly Secret[],
  slot: string,
  user: HostUser,
  release: Release,
): Promise<void> {
  if (secrets.length === 0) return;
  const { client, facts } = machine;
  const leased = client.with({ leaseId: id });
  const root = `/proc/${pid}/root`;
  const isLocal = facts.locality === "local";

  release.add({ kind: "secrets", id: stepSecretsDirectory(slot) }, async () => {
    try {
      await frozen(async () => {
        if (isLocal && (await writeToTmpfs(pid, SECRETS_DIRECTORY, [], slot))) return;
        await unpackAt(leased, root, emptySlot(slot));
      });
    } catch (reason) {
      // They are gone with the container.
      if (await isRunning(client, id).catch(() => true)) throw reason;
    }
  });

  const entries = stepSecretEntries(secrets, slot, user);
  await frozen(async () => {
    if (isLocal && (await writeToTmpfs(pid, SECRETS_DIRECTORY, entries, slot))) return;
    try {
      await unpackAt(leased, root, entries);
    } finally {
      // The archive's record is deleted. Its blob would stay on disk until the next garbage collection.
      await leased.leases.collectGarbage();
    }
  });
}

async function isRunning(client: Client, id: string): Promise<boolean> {
  const status = await ignoreNotFound(client.tasks.get(id));
  return status?.status === "running" || status?.status === "paused";
}
