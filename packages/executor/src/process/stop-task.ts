import { type Client, isContainerdError } from "@wfe-containerd/client";
import { ExecutorError } from "../error.js";
import { isUnavailable } from "../machine/unavailable.js";
import { startTimer } from "../timer.js";
import { isShimGone } from "./delete-task.js";

/**
 * How long a killed process may take to be gone, in milliseconds. If it takes longer, the machine is at
 * fault.
 */
const DEATH_MS = 60_000;
/** Pause between two attempts to reach a daemon that does not answer, in milliseconds. */
const RETRY_MS = 500;

export interface StopOptions {
  /** The first signal, by name: `SIGTERM` unless the image names another. */
  readonly signal: string;
  /** Time between the first signal and SIGKILL, in milliseconds. */
  readonly graceMs: number;
  /** Settles when the process has ended. */
  readonly exited: Promise<unknown>;
  /** Resolves when the caller does not want to wait for the grace period. */
  readonly forceKill?: Promise<unknown>;
}

/**
 * Sends a signal to a running task, and after a grace period kills all its processes.
 *
 * @returns whether a signal was delivered; false means that the process had ended by itself.
 * @throws ExecutorError `runtime` if the process is not gone a minute after SIGKILL.
 */
export async function stopTask(client: Client, id: string, options: StopOptions): Promise<boolean> {
  const ended: Promise<true> = options.exited.then(
    () => true,
    () => true,
  );
  const delivered = await signalTask(client, id, options.signal, false, ended);
  if (!delivered) return false;
  if (await endsInTime(options.graceMs, ended, options.forceKill)) return true;
  await signalTask(client, id, "SIGKILL", true, ended);
  if (await endsInTime(DEATH_MS, ended)) return true;
  throw new ExecutorError(`container ${id} still runs ${DEATH_MS / 1000} s after SIGKILL`, {
    kind: "runtime",
  });
}

/**
 * Sends a signal; false if there is no process left. If the daemon does not answer, it tries again until the
 * process ends.
 */
async function signalTask(
  client: Client,
  id: string,
  signal: string,
  all: boolean,
  ended: Promise<true>,
): Promise<boolean> {
  const startedAt = performance.now();
  for (;;) {
    try {
      await client.tasks.kill(id, signal, { all });
      return true;
    } catch (reason) {
      if (isContainerdError(reason, "not-found") || isShimGone(reason)) return false;
      if (!isUnavailable(reason) || performance.now() - startedAt > DEATH_MS) throw reason;
      if (await endsInTime(RETRY_MS, ended)) return false;
    }
  }
}

/** True if `ended` settles within the time; false if the time is over, or `cut` resolves, before that. */
async function endsInTime(timeMs: number, ended: Promise<true>, cut?: Promise<unknown>): Promise<boolean> {
  const timer = startTimer(timeMs);
  const late = timer.fired.then(() => false);
  try {
    return await Promise.race([ended, late, ...(cut === undefined ? [] : [cut.then(() => false)])]);
  } finally {
    timer.cancel();
  }
}
