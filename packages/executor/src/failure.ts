import { ContainerdError } from "@wfe-containerd/client";
import { ExecutorError, type ExecutorErrorOptions, isExecutorError } from "./error.js";
import type { ExecutorErrorKind } from "./error-kind.js";
import type { StopSignals } from "./process/stop-signals.js";

/**
 * Turns any failure to run a step into an {@link ExecutorError}.
 *
 * @param signals the caller's ways to end the step, if there is a step.
 * @param mayRun the id of the container that may still run. Undefined: nothing of the step runs.
 */
export function toExecutorError(reason: unknown, signals?: StopSignals, mayRun?: string): ExecutorError {
  const isAborted = signals?.stop.aborted === true;
  const message = reason instanceof Error ? reason.message : String(reason);
  const error =
    reason instanceof ExecutorError
      ? reason
      : new ExecutorError(message, { kind: kindOf(reason, isAborted), cause: reason });
  const { kind, cause, issues } = error;
  if (kind !== "daemon-unavailable") return error;
  if (mayRun === undefined)
    return isAborted ? new ExecutorError(message, { kind: "aborted", cause: reason }) : error;
  if (/\bmay still run\b/.test(message)) return error;
  return new ExecutorError(`${message}; container ${mayRun} may still run`, { kind, cause, issues });
}

/** The same error, which also tells more about its step. Anything else is returned unchanged. */
export function completeError(
  reason: unknown,
  more: Pick<ExecutorErrorOptions, "attempts" | "unreleased">,
): unknown {
  if (!isExecutorError(reason)) return reason;
  const { message, kind, issues, cause, attempts, unreleased, stack } = reason;
  const error = new ExecutorError(message, { kind, issues, cause, attempts, unreleased, ...more });
  return Object.assign(error, { stack });
}

function kindOf(reason: unknown, isAborted: boolean): ExecutorErrorKind {
  if (!(reason instanceof ContainerdError)) {
    if (isSystemError(reason)) return "io";
    return isAborted ? "aborted" : "runtime";
  }
  switch (reason.kind) {
    case "canceled":
      return isAborted ? "aborted" : "daemon-unavailable";
    case "unavailable":
    case "deadline-exceeded":
    case "permission-denied":
      return "daemon-unavailable";
    case "invalid-argument":
      return "invalid-argument";
    default:
      return "runtime";
  }
}

/** Whether a system call of this process failed: a disk is full, too many files are open. */
function isSystemError(reason: unknown): boolean {
  return reason instanceof Error && "syscall" in reason && "code" in reason;
}
