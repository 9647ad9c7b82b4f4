import { Code, ConnectError } from "@connectrpc/connect";
import type { WaitResponse } from "@wfe-containerd/proto/services/tasks";
import { createBackoff } from "../concurrency/backoff.js";
import { isConnectionCut } from "../connection-cut.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";

/**
 * Repeats Tasks.Wait until it answers, unless the client has an outage, which does that. A daemon that dies
 * ends the call with Canceled or Unavailable. That says nothing about the task, which goes on running, so we
 * ask again until the daemon is back. From 1.7 on, a daemon forgets tasks that ended while it was down.
 */
export async function waitForExit(
  { services: { tasks }, outage }: Pick<Context, "services" | "outage">,
  request: { containerId: string; execId: string },
  signal: AbortSignal | undefined,
): Promise<WaitResponse> {
  const backoff = createBackoff();
  let wasCut = false;
  for (;;) {
    try {
      return await tasks.wait(request, { signal, timeoutMs: 0 });
    } catch (reason) {
      if (outage !== undefined || signal?.aborted === true) throw reason;
      if (wasCut && reason instanceof ConnectError && reason.code === Code.NotFound) {
        throw new ContainerdError("the daemon was down, and no longer knows the process", {
          kind: "data-loss",
          cause: reason,
        });
      }
      if (!isConnectionCut(reason)) throw reason;
      wasCut = true;
      await backoff.wait(signal);
    }
  }
}
