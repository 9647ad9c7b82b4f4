import type { StepResult } from "./core/output/result.js";
import type { LeftStep } from "./core/plan/labels.js";
import type { TerminalSize } from "./core/spec/terminal.js";
import type { StepEvent } from "./event.js";
import type { ExecInput } from "./exec-input.js";
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
   * this is the one of the newest attempt. With `runId` it follows from that, `key` and `attempt`. Of a
   * process that `exec` added, it is its id in the container.
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
   * was only followed and goes on in another process. With `retry` it is the outcome of the last attempt,
   * also if the step is aborted while it waits for the next.
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
  /**
   * Runs a further process in the step's container, while the step runs, also if the step was recovered or is
   * only followed. It is confined as the step is, and has at most its capabilities. It has a log, a time-out
   * and a result of its own. If the step ends first, it ends, too, with the cause `container-ended`. Never
   * throws: a process that cannot be started rejects the `result` of its handle.
   *
   * @example
   * ```ts
   * await handle.started;
   * await using listing = handle.exec({ command: ["ls", "-l"], user: "1000" });
   * console.log((await listing.result).stdout);
   * ```
   */
  exec(process: ExecInput): StepHandle;
  /**
   * Sets the size of the process's terminal.
   *
   * @throws ExecutorError `refused` if it has no terminal, or has ended.
   */
  resize(size: TerminalSize): Promise<void>;
  /**
   * Leaves the step to itself: it goes on without this process, as after `Executor.detach`.
   * `Executor.attach` and the command's `attach`, `logs`, `stop` and `rm` find it. `result` rejects with
   * `aborted`. Nobody keeps the step's time-out any more, but `reap` ends a step that is past it.
   *
   * @param afterEnd what becomes of it when it has ended. Default `keep`.
   * @throws ExecutorError `refused` if it was started without `canLeave`, has ended, or is only followed:
   * then another executor runs it. A recovered step can be left, unless its output goes through pipes.
   */
  leave(afterEnd?: LeftStep): Promise<void>;
  /** Stops the step if it still runs, and waits for `closed`. */
  [Symbol.asyncDispose](): Promise<void>;
}
