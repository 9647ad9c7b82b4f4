import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";

/** The daemon first runs the shim's clean-up, which calls `runc delete`. Then the task is gone. */
const CLEANUP_MS = 30_000;
const POLL_MS = 50;

/**
 * Deletes an ended task. If its shim has died, the daemon deletes the task itself, and this waits until it is
 * gone.
 */
export async function deleteTask(client: Client, id: string): Promise<void> {
  try {
    await ignoreNotFound(client.tasks.delete(id));
  } catch (reason) {
    if (!isShimGone(reason)) throw reason;
    const giveUpAt = performance.now() + CLEANUP_MS;
    while (await isTaskKnown(client, id)) {
      if (performance.now() > giveUpAt) throw reason;
      // Polled: the event may have come before we could listen for it.
      await delay(POLL_MS);
    }
  }
}

/**
 * Whether a call failed because the shim has died. There is no status code for that: the daemon passes on the
 * text of its ttrpc client.
 */
export function isShimGone(reason: unknown): boolean {
  return isContainerdError(reason, "unknown") && /ttrpc: closed/.test(reason.message);
}

/** False only if the daemon says that it has no such task. */
export async function isTaskKnown(client: Client, id: string): Promise<boolean> {
  return client.tasks.get(id).then(
    () => true,
    (reason: unknown) => !isContainerdError(reason, "not-found"),
  );
}
