import { ExecutorError } from "../error.js";

/** The caller's ways to end a step. */
export interface StopSignals {
  /** Aborted to end the step: stop signal, grace period, SIGKILL. */
  readonly stop: AbortSignal;
  /** Aborted, after `stop`, by a caller who does not wait for the grace period. */
  readonly forceKill: AbortSignal;
  /** Aborted to leave the step to itself, once its process runs: it goes on without this process. */
  readonly leave?: AbortSignal | undefined;
}

/** Nothing runs yet, so there is no exit code to report. */
export function refuseIfAborted({ stop }: StopSignals): void {
  if (stop.aborted) throw abortedError(stop.reason);
}

/** The outcome of a step that was left to itself is not known here. */
export function leftError(id: string): ExecutorError {
  return new ExecutorError(`step ${id} was left to itself; it goes on without this process`, {
    kind: "aborted",
  });
}

/** @param cause the reason of the signal. */
export function abortedError(cause: unknown): ExecutorError {
  return new ExecutorError("the step was aborted before its process had started", { kind: "aborted", cause });
}
