import type { StepAttempt } from "./core/output/attempt.js";
import type { ExecutorErrorKind } from "./error-kind.js";
import type { UnreleasedResource } from "./unreleased.js";

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
  readonly attempts?: readonly StepAttempt[] | undefined;
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
  /** How the attempts of the step ended, with the last one. Empty if the step was refused or never begun. */
  readonly attempts: readonly StepAttempt[];

  constructor(
    message: string,
    { kind, issues = [], cause, unreleased = [], attempts = [] }: ExecutorErrorOptions,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.issues = issues;
    this.unreleased = unreleased;
    this.attempts = attempts;
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
