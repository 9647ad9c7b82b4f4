import { inspect } from "node:util";
import { isContainerdError } from "@wfe-containerd/client";
import { isExecutorError } from "@wfe-containerd/executor";
import { printable } from "./printable.js";

/** Exit codes as docker has them: ours when we fail, and those of a program that cannot be started. Any other is the step's. */
export const FAILED = 125;
export const NOT_EXECUTABLE = 126;
export const NOT_FOUND = 127;
/** As a shell tells of a program that SIGPIPE ended. */
const UNREAD = 128 + 13;

/** Who mends these will see the others. */
const MOST_ISSUES = 100;

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Nobody takes what we print any more, or it cannot be written. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** The reader has gone, as `head` does: nothing to complain of. */
  readonly isUnread: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`the output cannot be written: ${cause.message}`, { cause });
    this.isUnread = cause.code === "EPIPE";
  }
}

/** Prints, to standard error, what went wrong; returns the exit code for it. */
export function reportFailure(reason: unknown): number {
  if (reason instanceof OutputError && reason.isUnread) return UNREAD;
  const isOurs =
    isExecutorError(reason) ||
    isContainerdError(reason) ||
    reason instanceof UsageError ||
    reason instanceof OutputError;
  if (isExecutorError(reason) && reason.issues.length > 1) {
    console.error(
      `wfe-containerd: ${reason.kind === "refused" ? "the step may not have what it asks for" : "the step is not valid"}:`,
    );
    for (const { field, message, allowed } of reason.issues.slice(0, MOST_ISSUES))
      console.error(
        printable(`  ${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`),
      );
    const more = reason.issues.length - MOST_ISSUES;
    if (more > 0) console.error(`  and ${more} more`);
  } else if (isOurs) {
    console.error(`wfe-containerd: ${printable(reason.message)}`);
  } else {
    // Not ours: whoever mends it needs to see where it came from.
    console.error(printable(inspect(reason)));
  }
  if (isExecutorError(reason, "command-not-found")) return NOT_FOUND;
  if (isExecutorError(reason, "command-not-executable")) return NOT_EXECUTABLE;
  return FAILED;
}
