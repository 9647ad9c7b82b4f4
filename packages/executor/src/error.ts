import type { UnreleasedResource } from "./unreleased.js";

/**
 * Why a step could not be run.
 *
 * - `invalid-step`: the input is not a valid step; `issues` lists everything that is wrong with it.
 * - `refused`: the step is valid, but the policy or the machine does not allow it; `issues` says what would
 *   be allowed.
 * - `invalid-argument`: an option of the executor, or an argument of a call, is wrong.
 * - `image-not-found`: the daemon does not have the image, and it may not be pulled or the registry does not
 *   have it.
 * - `pull-failed`: the registry could not be reached, or sent something wrong.
 * - `command-not-found`: the image does not have the program.
 * - `command-not-executable`: the file exists, but is not a program or may not be run.
 * - `aborted`: the caller aborted the step before its process had started.
 * - `daemon-unavailable`: the daemon cannot be reached, or does not answer.
 * - `runtime`: the daemon or its runtime failed; the message quotes it.
 * - `io`: the files for the step's output could not be made, or the daemon cannot see them.
 * - `closed`: the executor was closed before the step was started.
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
  | "closed";

/** One thing that is wrong with a step. */
export interface StepIssue {
  /** The path of the field, spelled as in the input: `volumes[0].target`. */
  readonly field: string;
  readonly message: string;
  readonly allowed?: string | undefined;
}

/** What makes an {@link ExecutorError}, besides its message. */
export interface ExecutorErrorOptions {
  readonly kind: ExecutorErrorKind;
  readonly issues?: readonly StepIssue[] | undefined;
  readonly cause?: unknown;
  readonly unreleased?: readonly UnreleasedResource[] | undefined;
}

/**
 * The one error class of this package: a step could not be run. A step that ran and failed is a result
 * instead.
 */
export class ExecutorError extends Error {
  override readonly name = "ExecutorError";
  readonly kind: ExecutorErrorKind;
  readonly issues: readonly StepIssue[];
  /**
   * With `Executor.run`: what could not be removed yet after the step had failed. With a handle, `closed`
   * tells it.
   */
  readonly unreleased: readonly UnreleasedResource[];

  constructor(message: string, { kind, issues = [], cause, unreleased = [] }: ExecutorErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.issues = issues;
    this.unreleased = unreleased;
  }
}

/**
 * Whether a thrown value is an {@link ExecutorError}, and of this kind if one is given.
 *
 * @example
 * ```ts
 * if (isExecutorError(error, "image-not-found")) console.error(error.message);
 * ```
 */
export function isExecutorError(error: unknown, kind?: ExecutorErrorKind): error is ExecutorError {
  return error instanceof ExecutorError && (kind === undefined || error.kind === kind);
}
