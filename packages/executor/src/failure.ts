import { ContainerdError } from "@wfe-containerd/client";
import { ExecutorError, type ExecutorErrorKind } from "./error.js";
import type { StopSignals } from "./process/stop-signals.js";

/** Turns any failure to run a step into an {@link ExecutorError}. */
export function toExecutorError(reason: unknown, { stop }: StopSignals): ExecutorError {
  if (reason instanceof ExecutorError) return reason;
  const message = reason instanceof Error ? reason.message : String(reason);
  return new ExecutorError(message, { kind: kindOf(reason, stop.aborted), cause: reason });
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
