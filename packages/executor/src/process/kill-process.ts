import { type Client, isContainerdError } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { ProcessId } from "./process-id.js";
import { kill, type StopOptions, stopProcess } from "./stop-process.js";

/**
 * How long to try to kill a process that is to be removed, in milliseconds. Whoever removes it tries again
 * later.
 */
const KILL_MS = 6_000;
/** How long a shim may take to tell the status of its process, in milliseconds. */
const STATUS_MS = 5_000;

/**
 * Whether a process has ended. It waits for a daemon that is away, as `kill` does not.
 *
 * @throws ContainerdError `unavailable` if the daemon is away for too long.
 */
export async function isStopped(client: Client, { containerId, execId }: ProcessId): Promise<boolean> {
  const status = await ignoreNotFound(client.tasks.get(containerId, { execId, timeoutMs: STATUS_MS })).catch(
    (reason: unknown) => {
      if (isContainerdError(reason, "unavailable")) throw reason;
      return undefined;
    },
  );
  return status?.status === "stopped";
}

/**
 * Kills a process, and waits until it is gone. With a container's first process, all others die. A created
 * task that was never started also has a process.
 */
export async function killProcess(client: Client, id: ProcessId): Promise<void> {
  await whileWaiting(client, id, (ended) => kill(client, id, ended, KILL_MS));
}

/** Asks a process that this executor has not started to end, and kills it after a grace period. */
export async function endProcess(
  client: Client,
  id: ProcessId,
  how: Pick<StopOptions, "signal" | "graceMs">,
): Promise<void> {
  await whileWaiting(client, id, (exited) => stopProcess(client, id, { ...how, exited }));
}

/** @param act gets what resolves when the process has ended, or nobody knows. */
async function whileWaiting(
  client: Client,
  { containerId, execId }: ProcessId,
  act: (ended: Promise<true>) => Promise<unknown>,
): Promise<void> {
  const waiting = new AbortController();
  const exited = client.tasks.wait(containerId, { execId, signal: waiting.signal });
  try {
    await act(
      exited.then(
        () => true as const,
        () => true as const,
      ),
    );
  } finally {
    waiting.abort();
  }
}
