import { inspect } from "node:util";
import { isContainerdError } from "@wfe-containerd/client";
import { isExecutorError, type StepIssue } from "@wfe-containerd/executor";
import { FAILED, MAX_MISTAKES, MistakesError, OutputError, SignalError, UsageError } from "./failure.js";
import { printable } from "./printable.js";
import { codeOfSignal } from "./stop-signals.js";

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
/** The exit code that a shell shows for a program that SIGPIPE ended. */
const UNREAD = 128 + 13;

/** Prints an error to standard error. @returns the exit code for it. */
export function reportFailure(reason: unknown): number {
  if (reason instanceof OutputError && reason.isUnread) return UNREAD;
  if (reason instanceof SignalError) return codeOfSignal(reason.signal);
  const isOurs =
    isExecutorError(reason) ||
    isContainerdError(reason) ||
    reason instanceof UsageError ||
    reason instanceof OutputError;
  if (isExecutorError(reason) && reason.issues.length > 1) {
    const head =
      reason.kind === "refused"
        ? "the policy does not allow what the step asks for"
        : "the step is not valid";
    const lines = reason.issues.map(issueText);
    printList(head, lines);
  } else if (reason instanceof MistakesError && reason.mistakes.length > 1) {
    printList(`${reason.file} has ${reason.mistakes.length} mistakes`, reason.mistakes);
  } else if (isOurs) {
    console.error(`wfe-containerd: ${printable(reason.message)}`);
  } else {
    // Not one of our errors, so this is a bug: the stack helps to find it.
    console.error(printable(inspect(reason)));
  }
  if (isExecutorError(reason, "command-not-found")) return NOT_FOUND;
  if (isExecutorError(reason, "command-not-executable")) return NOT_EXECUTABLE;
  return FAILED;
}

/** One problem of a step, in one line. */
export function issueText({ field, message, allowed }: StepIssue): string {
  return `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`;
}

function printList(head: string, lines: readonly string[]): void {
  console.error(`wfe-containerd: ${printable(head)}:`);
  for (const line of lines.slice(0, MAX_MISTAKES)) console.error(printable(`  ${line}`));
  const more = lines.length - MAX_MISTAKES;
  if (more > 0) console.error(`  and ${more} more`);
}
