import type { StepResult } from "./core/output/result.js";
import type { StepEvent } from "./event.js";

/** A step on its way. Iterate it for the events; await `result` for the outcome and `closed` for the clean-up. */
export interface StepHandle extends AsyncIterable<StepEvent>, AsyncDisposable {
  /** The container's id in containerd: unique, and made from the step's name. */
  readonly id: string;
  /**
   * Settles as soon as the outcome and all output are known. Rejects with an {@link ExecutorError} when the step could not be run,
   * and with kind `aborted` when it was aborted before its process had started.
   */
  readonly result: Promise<StepResult>;
  /** Settles when everything that the step held is released. Rejects with kind `release-failed` when something could not be. */
  readonly closed: Promise<void>;
  /** Ends the step as a time-out does: the stop signal, the grace period, SIGKILL. */
  stop(): void;
  /**
   * Ends the step at once, by SIGKILL. What it has printed is read for two seconds more; if that was not all of it, the result says `truncated`.
   */
  kill(): void;
  /** Stops the step if it still runs, and waits until everything is released. */
  [Symbol.asyncDispose](): Promise<void>;
}
