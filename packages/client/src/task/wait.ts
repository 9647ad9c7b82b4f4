import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { WaitResponse } from "@wfe-containerd/proto/services/tasks";
import type { Services } from "../context.js";
import { ContainerdError } from "../error.js";

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 1_000;

/**
 * Repeats Tasks.Wait until it answers. A daemon that dies ends the call with Canceled or Unavailable. That
 * says nothing about the task, which goes on running, so we ask again until the daemon is back. From 1.7 on,
 * a daemon forgets tasks that ended while it was down.
 */
export async function waitForExit(
  tasks: Services["tasks"],
  request: { containerId: string; execId: string },
  signal: AbortSignal | undefined,
): Promise<WaitResponse> {
  let wasCut = false;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      return await tasks.wait(request, { signal, timeoutMs: 0 });
    } catch (reason) {
      if (signal?.aborted === true) throw reason;
      if (wasCut && reason instanceof ConnectError && reason.code === Code.NotFound) {
        throw new ContainerdError("the daemon was away, and does not know the process any more", {
          kind: "data-loss",
          cause: reason,
        });
      }
      if (!isCut(reason)) throw reason;
      wasCut = true;
      await delay(delayMs, undefined, { signal });
    }
  }
}

function isCut(reason: unknown): boolean {
  return (
    reason instanceof ConnectError && (reason.code === Code.Unavailable || reason.code === Code.Canceled)
  );
}
