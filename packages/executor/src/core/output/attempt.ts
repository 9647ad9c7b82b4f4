import type { ExecutorErrorKind } from "../../error-kind.js";
import type { StepEndCause } from "./cause.js";

/** How one attempt of a step ended. */
export interface StepAttempt {
  /** The id of its container. */
  readonly id: string;
  /** The `cause` of its result; or, if it could not be run, the `kind` of its error. */
  readonly cause: StepEndCause | ExecutorErrorKind;
  /** The exit code; null if it is not known, and if the attempt could not be run. */
  readonly exitCode: number | null;
  /** From the start of its process to the exit, in milliseconds; null if it could not be run. */
  readonly durationMs: number | null;
  /** Why it could not be run: the message of its error. */
  readonly message?: string | undefined;
}
