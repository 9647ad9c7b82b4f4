import type { StepResult } from "./core/output/result.js";
import type { StepEvent } from "./event.js";
import type { LogReader } from "./log/log-entry.js";
import type { ReleaseReport } from "./unreleased.js";

/**
 * A running step. Iterate it for its events. Await `result` for the outcome, and `closed` for the clean-up.
 *
 * The loop over the events ends when the step is released. It throws the error of a step that could not be
 * run, after the events.
 */
export interface StepHandle extends AsyncIterable<StepEvent>, AsyncDisposable {
  /**
   * The container's id in containerd: unique. Each attempt of a step with `retry` has a container of its own;
   * this is the one of the newest attempt. With `runId` it follows from that, `key` and `attempt`.
   */
  readonly id: string;
  /**
   * Resolves when the step's process runs: that of the first attempt that can be started. Rejects with the
   * error of `result` if none could be.
   */
  readonly started: Promise<void>;
  /**
   * Resolves as soon as the outcome and all output are known. Rejects with an {@link ExecutorError} if the
   * step could not be run; its kind is `aborted` if it was aborted before its process had started, or if it
   * was only followed and goes on in another process. With `retry` it is the outcome of the last attempt, also if the step is aborted while it waits for the next.
   */
  readonly result: Promise<StepResult>;
  /**
   * Resolves when everything that the step used was released, or could not be released yet: `unreleased`
   * tells which. It never rejects.
   */
  readonly closed: Promise<ReleaseReport>;
  /**
   * The output, to be read by any number of readers, until the handle is disposed of. A reader reads the
   * newest attempt, and ends with it.
   */
  readonly log: LogReader;
  /**
   * Ends the step as a time-out does: the stop signal, the grace period, SIGKILL. If another living process
   * has the step, and this handle only follows it, the step goes on, and `result` rejects with `aborted`.
   */
  stop(): void;
  /**
   * Ends the step at once, by SIGKILL. Its output is read for two more seconds. If that was not all of it,
   * the result has `truncated: true`.
   */
  kill(): void;
  /** Stops the step if it still runs, and waits for `closed`. */
  [Symbol.asyncDispose](): Promise<void>;
}
