import { inspect } from "node:util";
import { isContainerdError } from "@wfe-containerd/client";
import { isExecutorError, type StepIssue } from "@wfe-containerd/executor";
import { printable } from "./printable.js";

/**
 * Exit codes as in docker: 125 for our own failure, 126 and 127 for a program that cannot be started. Any
 * other exit code is the step's own.
 */
export const FAILED = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
/** The exit code that a shell shows for a program that SIGPIPE ended. */
const UNREAD = 128 + 13;

/** At most this many mistakes are printed. The next run shows the rest. */
export const MAX_MISTAKES = 100;

/** Why a file could not be read or written, by the system's name for it and in words. */
export function fileProblem(cause: unknown): string {
  const { code = String(cause) } = cause as NodeJS.ErrnoException;
  const words = Object.hasOwn(FILE_PROBLEMS, code) ? FILE_PROBLEMS[code] : undefined;
  return words === undefined ? code : `${code}, ${words}`;
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "the file does not exist",
  EISDIR: "the path is a directory",
  ENOTDIR: "a part of the path is not a directory",
  EACCES: "no permission",
};

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Lists all mistakes in a file. */
export class MistakesError extends UsageError {
  readonly mistakes: readonly string[];
  readonly file: string;

  constructor(file: string, mistakes: readonly string[]) {
    super(`${file}: ${mistakes.join("; ")}`);
    this.file = file;
    this.mistakes = mistakes;
  }
}

/** Standard output or standard error cannot be written. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** The reader closed its end, as `head` does. This needs no error message. */
  readonly isUnread: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`the output cannot be written: ${cause.message}`, { cause });
    this.isUnread = cause.code === "EPIPE";
  }
}

/** Prints an error to standard error. @returns the exit code for it. */
export function reportFailure(reason: unknown): number {
  if (reason instanceof OutputError && reason.isUnread) return UNREAD;
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
