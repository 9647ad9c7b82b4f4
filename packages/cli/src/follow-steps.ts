import type { StepHandle } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { exitCodeOf, reportEnd } from "./exit-code.js";
import { OutputError } from "./failure.js";
import { inFlags } from "./flag-names.js";
import { follow } from "./follow.js";
import { reportFailure } from "./report-failure.js";
import { endOf, prefixesOf } from "./step-progress.js";
import type { StopSignals } from "./stop-signals.js";

/** A step that is followed beside others. */
export interface FollowedStep {
  readonly handle: StepHandle;
  /** Tells it apart from the others. */
  readonly name: string;
}

/** What became of it. */
export interface FollowedEnd {
  readonly exitCode: number;
  /** Whether it has a result: then the exit code is that of the step. */
  readonly hasResult: boolean;
}

export interface FollowStepsOptions {
  readonly signals: StopSignals;
  /** Whether the steps' output is printed. */
  readonly output: boolean;
  /** Whether not to tell how each step ended, if it ended by itself. */
  readonly quiet: boolean;
  /** The command that was called: failures name its flags. */
  readonly command: Command;
}

/**
 * Waits until all of several steps have ended, and prints their output meanwhile: of more than one, with the
 * step's name before each line. The first signal stops them, the second one kills them. A step without a
 * result is told, and does not keep the others from theirs.
 *
 * @returns what became of each, in the order of the list.
 * @throws OutputError when the output cannot be written. All steps are then killed.
 */
export async function followSteps(
  steps: readonly FollowedStep[],
  { signals, output, quiet, command }: FollowStepsOptions,
): Promise<FollowedEnd[]> {
  const prefixes = steps.length > 1 ? await prefixesOf(steps.map(({ name }) => name)) : [];
  const stop = (): void => {
    for (const { handle } of steps) handle.stop();
  };
  if (signals.stop.aborted) stop();
  signals.stop.addEventListener("abort", stop);
  const followOne = async ({ handle, name }: FollowedStep, at: number): Promise<FollowedEnd> => {
    try {
      const result = await follow(handle, {
        signals,
        output,
        prefix: prefixes[at],
        wholeLines: true,
        progress: false,
      });
      if (quiet) reportEnd(result, { wasKilled: true });
      else console.error(endOf(name, result));
      return { exitCode: exitCodeOf(result), hasResult: true };
    } catch (reason) {
      if (reason instanceof OutputError) throw reason;
      return { exitCode: reportFailure(inFlags(reason, command)), hasResult: false };
    }
  };
  try {
    return await Promise.all(steps.map(followOne));
  } catch (reason) {
    for (const { handle } of steps) handle.kill();
    throw reason;
  } finally {
    signals.stop.removeEventListener("abort", stop);
  }
}
