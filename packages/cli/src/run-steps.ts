import {
  isExecutorError,
  type StepInput,
  type StepResult,
  toVariableName,
  toWorkflowData,
  type WorkflowData,
} from "@wfe-containerd/executor";
import { exitCodeOf, isFromSignal, reportEnd } from "./exit-code.js";
import { follow } from "./follow.js";
import { printable } from "./printable.js";
import { reportFailure } from "./report-failure.js";
import type { StepPlace } from "./step-place.js";
import { headingOf, prefixesOf, summaryOf } from "./step-progress.js";
import type { StopSignals } from "./stop-signals.js";

export interface RunStepsOptions {
  /** Variables for every step. */
  readonly data: WorkflowData;
  readonly signals: StopSignals;
  readonly output: "text" | "json";
  /** Whether later steps get the output of earlier ones, too. */
  readonly dataLogs?: boolean;
  readonly quiet?: boolean;
  readonly prefix?: boolean;
}

/** Whether headings and a summary are printed: one step needs none, and JSON is for programs. */
export function isTold(
  steps: readonly unknown[],
  { output, quiet = false }: Pick<RunStepsOptions, "output" | "quiet">,
): boolean {
  return output === "text" && !quiet && steps.length > 1;
}

/**
 * Runs steps in order until one fails or a signal comes.
 *
 * @param results gets the results of the steps that ran.
 * @returns the exit code.
 * @throws what a signal has caused, and OutputError.
 */
export async function runSteps(
  place: StepPlace,
  steps: readonly StepInput[],
  { data: given, signals, output, dataLogs: logs = false, quiet = false, prefix = false }: RunStepsOptions,
  results: StepResult[],
): Promise<number> {
  const hasHeadings = isTold(steps, { output, quiet });
  const names = steps.map(({ name }) => name);
  const prefixes = prefix ? await prefixesOf(names) : [];
  let data = given;
  for (const [at, step] of steps.entries()) {
    if (hasHeadings) console.error(headingOf(step, at, steps.length));
    const tell = (end: Parameters<typeof summaryOf>[0]): void => {
      if (hasHeadings) console.error(summaryOf(end, names.slice(at + 1)));
    };
    let hasStarted = false;
    try {
      const handle = place.start(step, { data, signal: signals.stop });
      handle.started.then(
        () => {
          hasStarted = true;
        },
        () => undefined,
      );
      const result = await follow(handle, {
        signals,
        output: output === "text",
        progress: !quiet,
        prefix: prefixes[at],
      });
      results.push(result);
      reportEnd(result, { stopSignal: stopSignalOf(step), wasKilled: signals.kill.aborted });
      if (result.cause === "container-ended") await tellEnd(place);
      if (result.exitCode !== 0 || result.cause !== "exit" || signals.received !== undefined) {
        tell(result);
        return exitCodeOf(result);
      }
      if (logs) reportLongLogs(result);
      data = { ...data, ...toWorkflowData(result, { logs }), ...given };
    } catch (reason) {
      if (!isExecutorError(reason) || (signals.received !== undefined && isFromSignal(reason))) throw reason;
      const code = reportFailure(reason);
      if (isContainerGone(reason.issues)) await tellEnd(place);
      tell({ name: step.name, cause: hasStarted ? "no-result" : "not-run", exitCode: null });
      return code;
    }
  }
  return 0;
}

/** A session refuses a step by this field when its container has ended. */
function isContainerGone(issues: readonly { readonly field: string }[]): boolean {
  return issues.some(({ field }) => field === "exec");
}

async function tellEnd({ ended }: StepPlace): Promise<void> {
  if (ended !== undefined) console.error(`wfe-containerd: ${printable(await ended)}`);
}

function stopSignalOf(step: StepInput): string | undefined {
  const { stopSignal, stop_signal } = step as StepInput & { readonly stop_signal?: string };
  return stopSignal ?? stop_signal;
}

/** The kernel accepts at most 128 KiB for a variable, including its name. */
const MAX_VARIABLE_BYTES = 128 * 1024;

function reportLongLogs({ name, stdout, stderr }: StepResult): void {
  for (const [stream, log] of Object.entries({ stdout, stderr })) {
    const variable = toVariableName(`${name}.${stream}`);
    if (log.includes("\0"))
      console.error(
        `wfe-containerd: step ${name}: later steps do not get $${variable}, because the value contains a NUL byte`,
      );
    else if (Buffer.byteLength(`${variable}=${log}`) >= MAX_VARIABLE_BYTES)
      console.error(
        `wfe-containerd: step ${name}: later steps do not get $${variable}, because the value is longer than 128 KiB`,
      );
  }
}
