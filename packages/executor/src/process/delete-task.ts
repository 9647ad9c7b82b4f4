import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { ignoreNotFound } from "../machine/ignore-not-found.js";

/** The daemon runs the shim's own clean-up, which takes a runc delete; then the task is gone. */
const CLEANUP_MS = 30_000;
const POLL_MS = 50;

/** Deletes an ended task. One whose shim has died is deleted by the daemon itself; that is waited for. */
export async function deleteTask(client: Client, id: string): Promise<void> {
  try {
    await ignoreNotFound(client.tasks.delete(id));
  } catch (reason) {
    if (!isShimGone(reason)) throw reason;
    const giveUpAt = performance.now() + CLEANUP_MS;
    while (await isThere(client, id)) {
      if (performance.now() > giveUpAt) throw reason;
      // The event that would tell may have come before we could listen.
      await delay(POLL_MS);
    }
  }
}

/** There is no code on the wire for a shim that died: the daemon hands on what its ttrpc client says. */
export function isShimGone(reason: unknown): boolean {
  return isContainerdError(reason, "unknown") && /ttrpc: closed/.test(reason.message);
}

async function isThere(client: Client, id: string): Promise<boolean> {
  return client.tasks.get(id).then(
    () => true,
    (reason: unknown) => !isContainerdError(reason, "not-found"),
  );
}
