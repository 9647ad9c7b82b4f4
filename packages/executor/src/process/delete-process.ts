import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { ProcessId } from "./process-id.js";

/** The daemon first runs the shim's clean-up, which calls `runc delete`. Then the task is gone. */
const CLEANUP_MS = 30_000;
const POLL_MS = 50;

/**
 * Deletes an ended process. If its shim has died, the daemon deletes the task with all its processes itself,
 * and this waits until it is gone.
 *
 * @returns whether the daemon still knew it.
 */
export async function deleteProcess(client: Client, { containerId, execId }: ProcessId): Promise<boolean> {
  try {
    return (await ignoreNotFound(client.tasks.delete(containerId, { execId }))) !== undefined;
  } catch (reason) {
    // It was down meanwhile, and does not know what it has deleted.
    if (isContainerdError(reason, "data-loss")) return false;
    if (!isShimGone(reason)) throw reason;
    const giveUpAt = performance.now() + CLEANUP_MS;
    while (await isTaskKnown(client, containerId)) {
      if (performance.now() > giveUpAt) throw reason;
      // Polled: the event may have come before we could listen for it.
      await delay(POLL_MS);
    }
    return false;
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
