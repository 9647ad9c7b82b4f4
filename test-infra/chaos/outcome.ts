import type { Marks } from "./marks.js";

/** What a worker told of a step, and when. Times are by the wall clock, as those of files are. */
export interface Outcome {
  readonly name: string;
  /** Of its container; in a session, of the process. */
  readonly id: string;
  /** When the step was sent to a worker for the first time. */
  readonly sentAtMs: number;
  readonly toldAtMs: number;
  /** The `cause` of its result; or the `kind` of its error. */
  readonly cause: string;
  readonly exitCode: number | null;
  /** The message of its error. Undefined: it has a result. */
  readonly error: string | undefined;
  /** What the result says of its log. */
  readonly isComplete: boolean | "unknown" | undefined;
  readonly stderr: string;
  /** Its stdout. Undefined if its worker was killed before it told it. */
  readonly log: { readonly bytes: number; readonly sha256: string } | undefined;
  readonly marks: Marks;
}
