/**
 * Exit codes as in docker: 125 for our own failure, 126 and 127 for a program that cannot be started. Any
 * other exit code is the step's own.
 */
export const FAILED = 125;

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

/** A signal ended what the command did. This needs no error message. */
export class SignalError extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals, cause: unknown) {
    super(`ended by ${signal}`, { cause });
    this.signal = signal;
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
