import type { Snapshot } from "@wfe-containerd/client";
import { createDeferred, type Deferred, type Semaphore, traceRetry } from "@wfe-containerd/client/internal";
import type { AdmittedStep } from "./admit-step.js";
import type { StepAttempt } from "./core/output/attempt.js";
import type { StepResult } from "./core/output/result.js";
import { delayBeforeNext, type EndedAttempt } from "./core/plan/next-attempt.js";
import { type ExecutorError, isExecutorError } from "./error.js";
import type { ExecHost } from "./exec-host.js";
import { completeError } from "./failure.js";
import type { EventQueue } from "./log/event-queue.js";
import type { Log } from "./log/log.js";
import { abortedError, type StopSignals } from "./process/stop-signals.js";
import type { Release } from "./resources/release.js";
import { runStep } from "./run-step.js";
import type { ExecutorContext, ProcessStreams } from "./stages/context.js";
import { waitUnlessAborted } from "./timer.js";

/** What each attempt has of its own. */
export interface AttemptParts {
  readonly id: string;
  readonly log: Log;
  readonly release: Release;
  /** Lets further processes into its container. */
  readonly execs: ExecHost;
}

/** A step, and what its attempts share. */
export interface StepAttempts {
  readonly admitted: AdmittedStep;
  readonly executor: ExecutorContext;
  /** Lets so many attempts run at a time as the executor may run. */
  readonly slots: Semaphore;
  readonly priority: number;
  readonly streams: ProcessStreams;
  /** Whether the container is that of a session. */
  readonly isSession: boolean;
  /** The snapshot that the session is started from, in place of an image. */
  readonly from?: Snapshot | undefined;
  /** From now on the step is left to itself. */
  leave(): void;
  readonly signals: StopSignals;
  readonly events: EventQueue;
  /** Settled when a process runs, or with the error of `result`. */
  readonly started: Deferred<void>;
  /** Settled when the outcome and all output of the last attempt are known. */
  readonly result: Deferred<StepResult>;
  /** Makes the parts of an attempt that begins. */
  begin(): AttemptParts;
  /** Takes over the parts of an attempt that is over. */
  end(parts: AttemptParts): void;
}

/**
 * Runs a step until an attempt goes well, or no other one follows. Never rejects.
 *
 * An attempt has its slot until it is released, because it takes memory and mounts of the daemon's machine
 * until then. A step that waits for its next attempt has no slot, and then queues again.
 */
export async function runAttempts(step: StepAttempts): Promise<void> {
  const { signals, events, slots, priority } = step;
  const { retry } = step.admitted.step;
  const { stop } = signals;
  const ended: StepAttempt[] = [];
  /** Settles the step as it stands now. Only the first call has an effect. */
  let settle = (): void =>
    fail(isExecutorError(stop.reason, "closed") ? stop.reason : abortedError(stop.reason));

  function fail(reason: unknown): void {
    const error = completeError(reason, { attempts: [...ended] });
    step.started.reject(error);
    step.result.reject(error);
  }

  /** Called when an attempt has its outcome. Nobody waits for its release to know the last outcome. */
  function record(
    outcome: PromiseSettledResult<StepResult>,
    id: string,
  ): EndedAttempt & { isError: boolean } {
    const attempt = attemptOf(outcome, id);
    ended.push(attempt);
    settle = () => {
      if (outcome.status === "rejected") fail(outcome.reason);
      else step.result.resolve({ ...outcome.value, attempts: [...ended] });
    };
    const isError = outcome.status === "rejected";
    const ok = !isError && outcome.value.ok;
    const end = { ...attempt, number: ended.length, ok, isError, mayStillRun: false };
    if (delayAfter(end) === undefined) settle();
    return end;
  }

  function delayAfter(end: EndedAttempt): number | undefined {
    return stop.aborted ? undefined : delayBeforeNext(retry, end);
  }

  /** @returns how long to wait before the next attempt; undefined if none follows. */
  async function runAttempt(): Promise<number | undefined> {
    stop.throwIfAborted();
    const { executor, admitted, streams, isSession, from, leave } = step;
    const parts = step.begin();
    const started = createDeferred<void>();
    started.promise.then(step.started.resolve, () => undefined);
    const result = createDeferred<StepResult>();
    const known = settled(result.promise).then((outcome) => record(outcome, parts.id));
    const attempt = ended.length + 1;
    await runStep({
      ...parts,
      attempt,
      admitted,
      executor,
      streams,
      isSession,
      from,
      leave,
      signals,
      events,
      started,
      result,
    });
    const end = await known;
    step.end(parts);
    return delayAfter({ ...end, mayStillRun: end.isError && parts.release.has("task") });
  }

  async function waitToRetry({ cause }: StepAttempt, delayMs: number): Promise<void> {
    const attempt = ended.length + 1;
    const what = step.admitted.step.name;
    await traceRetry(
      // Not the message: it may quote the step's command.
      () => ({ of: "step", what, attempt, delayMs, reason: cause }),
      () => waitUnlessAborted(delayMs, stop),
    );
  }

  const onQueued = (position: number): void => void events.push({ type: "queued", position });
  try {
    for (;;) {
      const delayMs = await slots.run(runAttempt, { priority, signal: stop, onQueued });
      const last = ended.at(-1);
      if (delayMs === undefined || last === undefined) break;
      events.waitAgain();
      events.push({
        type: "retry",
        ended: last,
        attempt: ended.length + 1,
        attempts: retry.attempts,
        delayMs,
      });
      await waitToRetry(last, delayMs);
    }
  } catch (reason) {
    // It was stopped while it waited.
    if (!stop.aborted) fail(reason);
  }
  settle();
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome;
}

/** @param id the id of the container. */
function attemptOf(outcome: PromiseSettledResult<StepResult>, id: string): StepAttempt {
  if (outcome.status === "fulfilled") {
    const { cause, exitCode, durationMs } = outcome.value;
    return { id, cause, exitCode, durationMs };
  }
  const { kind, message } = outcome.reason as ExecutorError;
  return { id, cause: kind, exitCode: null, durationMs: null, message };
}
