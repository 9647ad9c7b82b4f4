import { type Client, isContainerdError, type Signal } from "@wfe-containerd/client";
import { ExecutorError } from "../error.js";
import { isDaemonAway } from "../machine/unavailable.js";
import { startTimer } from "../timer.js";
import { isShimGone } from "./delete-process.js";
import { type ProcessId, processName } from "./process-id.js";

/**
 * How long a killed process may take to be gone, in milliseconds. If it takes longer, the machine is at
 * fault.
 */
const DEATH_MS = 30_000;
/** How long a shim may take to pass on a signal, in milliseconds. runc is started for it. */
const ANSWER_MS = 5_000;
/** How long to try to deliver SIGKILL, in milliseconds, if the daemon answers and the shim or runc fails. */
const DELIVERY_MS = 10_000;
/** A daemon that is away for less is waited for: it restarts, or the machine is busy. In milliseconds. */
const AWAY_MS = 4_000;
/** Pauses between two attempts to deliver a signal, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

export interface StopOptions {
  /** The first signal, by name: `SIGTERM` unless the image names another. */
  readonly signal: Signal;
  /** Time between the first signal and SIGKILL, in milliseconds. */
  readonly graceMs: number;
  /** Settles when the process has ended. */
  readonly exited: Promise<unknown>;
  /** Resolves when the caller does not want to wait for the grace period. */
  readonly forceKill?: Promise<unknown>;
}

/**
 * Sends a signal to a running process, and SIGKILL after a grace period: to all processes of the container if
 * it is the first one. A signal that cannot be delivered is sent again.
 *
 * @param client its calls fail at once while the daemon is away.
 * @returns whether a signal may have been delivered; false means that the process had ended by itself.
 * @throws ExecutorError `daemon-unavailable` if the daemon is away at the end of the grace period; `runtime`
 * if SIGKILL cannot be delivered or has no effect.
 */
export async function stopProcess(client: Client, id: ProcessId, options: StopOptions): Promise<boolean> {
  const ended: Promise<true> = options.exited.then(
    () => true,
    () => true,
  );
  const grace = startTimer(options.graceMs);
  const graceIsOver = Promise.race([grace.fired, ...(options.forceKill ? [options.forceKill] : [])]);
  let asked: Delivery;
  try {
    asked = await deliver(client, id, options.signal, { all: false, ended, until: graceIsOver });
    if (asked.isGone) return asked.mayBeDelivered;
    if (asked.failure === undefined && (await Promise.race([ended, graceIsOver.then(() => false)])))
      return true;
  } finally {
    grace.cancel();
  }
  // It may have ended by the first signal, just as the grace period was over.
  const wasKilled = await kill(client, id, ended);
  return asked.mayBeDelivered || wasKilled;
}

/**
 * Kills a process, and waits until it is gone. With a container's first process, all others die.
 *
 * @param deliveryMs how long to try if the daemon answers, and the shim or runc fails, in milliseconds.
 * @returns and throws as {@link stopProcess}.
 */
export async function kill(
  client: Client,
  id: ProcessId,
  ended: Promise<true>,
  deliveryMs: number = DELIVERY_MS,
): Promise<boolean> {
  const late = startTimer(deliveryMs);
  let awaySince: number | undefined;
  const killed = await deliver(client, id, "SIGKILL", {
    all: id.execId === undefined,
    ended,
    until: late.fired,
    async giveUp(failure) {
      const askedAt = performance.now();
      awaySince = (await isDaemonAway(client, failure)) ? (awaySince ?? askedAt) : undefined;
      return awaySince !== undefined && performance.now() - awaySince >= AWAY_MS;
    },
  });
  late.cancel();
  if (killed.isGone) return killed.mayBeDelivered;
  if (killed.failure !== undefined) {
    const message = killed.failure instanceof Error ? killed.failure.message : String(killed.failure);
    throw new ExecutorError(`${processName(id)} could not be killed, and may still run: ${message}`, {
      kind: awaySince !== undefined ? "daemon-unavailable" : "runtime",
      cause: killed.failure,
    });
  }
  if (await endsInTime(DEATH_MS, ended)) return true;
  throw new ExecutorError(`${processName(id)} still runs ${DEATH_MS / 1000} s after SIGKILL`, {
    kind: "runtime",
  });
}

interface DeliverOptions {
  /** Whether every process of the container gets the signal. */
  readonly all: boolean;
  readonly ended: Promise<true>;
  /** Resolves when it is time to stop trying. */
  readonly until: Promise<unknown>;
  /** Whether a failure makes further attempts useless. */
  readonly giveUp?: (failure: unknown) => Promise<boolean>;
}

interface Delivery {
  /** Whether the process is gone. */
  readonly isGone: boolean;
  /** Whether an attempt succeeded, or failed in a way that leaves this open. */
  readonly mayBeDelivered: boolean;
  /** Why the last attempt failed. Undefined: it succeeded. */
  readonly failure?: unknown;
}

/** Sends a signal until it is delivered, the process ends, or it is time to stop trying. */
async function deliver(
  client: Client,
  { containerId, execId }: ProcessId,
  signal: Signal,
  options: DeliverOptions,
): Promise<Delivery> {
  const { all, ended, until, giveUp } = options;
  let isOver = false;
  const over = until.then(() => {
    isOver = true;
  });
  let mayBeDelivered = false;
  let failure: unknown;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const sending = client.tasks.kill(containerId, signal, { execId, all, timeoutMs: ANSWER_MS });
    const outcome = await Promise.race([
      sending.then(
        () => "delivered" as const,
        (reason: unknown) => ({ reason }),
      ),
      over.then(() => "late" as const),
    ]);
    if (outcome === "delivered") return { isGone: false, mayBeDelivered: true };
    failure =
      outcome === "late" ? (failure ?? new Error(`${signal} was not delivered in time`)) : outcome.reason;
    if (isContainerdError(failure, "not-found") || isShimGone(failure))
      return { isGone: true, mayBeDelivered };
    mayBeDelivered ||= outcome === "late" || !isAnswer(failure);
    if (isOver || (await giveUp?.(failure))) return { isGone: false, mayBeDelivered, failure };
    if (await endsInTime(pauseMs, ended, over)) return { isGone: true, mayBeDelivered };
  }
}

/** Whether the daemon has answered, so that the signal was not delivered. */
function isAnswer(failure: unknown): boolean {
  return (
    isContainerdError(failure) && !["unavailable", "deadline-exceeded", "canceled"].includes(failure.kind)
  );
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
