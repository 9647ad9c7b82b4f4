/**
 * Why a step could not be run.
 *
 * - `invalid-step`: what was given is no step; `issues` lists everything that is wrong with it.
 * - `refused`: it is one, and may not or cannot be had so; `issues` says what, and what would be allowed.
 * - `invalid-argument`: an option of the executor, or a call of it, is wrong.
 * - `image-not-found`: the daemon does not have the image, and the pull policy or the registry does not give it.
 * - `pull-failed`: the registry could not be asked, or what it gave was not what it should be.
 * - `command-not-found`, `command-not-executable`: the image has no such program, or it is none.
 * - `aborted`: the caller gave up before the step's process had started.
 * - `daemon-unavailable`: the daemon is not there, or does not answer.
 * - `runtime`: the daemon or its runtime failed; the message has their words.
 * - `io`: the files for the step's output could not be made or seen.
 * - `release-failed`: the step is over, and something of it could not be removed.
 */
export type ExecutorErrorKind =
  | "invalid-step"
  | "refused"
  | "invalid-argument"
  | "image-not-found"
  | "pull-failed"
  | "command-not-found"
  | "command-not-executable"
  | "aborted"
  | "daemon-unavailable"
  | "runtime"
  | "io"
  | "release-failed";

/** One thing that is wrong with what was given. */
export interface StepIssue {
  /** Where, as it was written: `volumes[0].target`. */
  readonly field: string;
  readonly message: string;
  readonly allowed?: string | undefined;
}

export interface ExecutorErrorOptions {
  readonly kind: ExecutorErrorKind;
  readonly issues?: readonly StepIssue[] | undefined;
  readonly cause?: unknown;
}

/** The one error that this package throws: a step could not be run. A step that ran and failed is a result. */
export class ExecutorError extends Error {
  override readonly name = "ExecutorError";
  readonly kind: ExecutorErrorKind;
  readonly issues: readonly StepIssue[];

  constructor(message: string, { kind, issues = [], cause }: ExecutorErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.issues = issues;
  }
}

/** Whether something thrown is an {@link ExecutorError}, of one kind if one is given. */
export function isExecutorError(error: unknown, kind?: ExecutorErrorKind): error is ExecutorError {
  return error instanceof ExecutorError && (kind === undefined || error.kind === kind);
}
