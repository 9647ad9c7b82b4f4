import type { StepResult } from "./core/output/result.js";
import { checkOptions } from "./options.js";

/** Which parts of a result go to later steps. */
export interface WorkflowDataOptions {
  /**
   * Whether standard output and standard error are included. The kernel takes less than 128 KiB in one
   * variable, and about 2 MiB in all. A log that is longer than one variable is left out.
   *
   * @default false
   */
  readonly logs?: boolean | undefined;
}

/**
 * Turns a result into values for later steps: `<step>.exit_code` and `<step>.outputs.<key>`; with `logs` also
 * `<step>.stdout` and `<step>.stderr`.
 *
 * The step chose the keys and values of its outputs, and they become environment variables of another step.
 * So each gets a name that no program takes orders from, and that no other step has.
 *
 * @throws ExecutorError `invalid-argument` for an unknown option.
 * @example
 * ```ts
 * const data = toWorkflowData(result); // { "build.exit_code": 0, "build.outputs.version": "1.2.3" }
 * ```
 */
export function toWorkflowData(
  result: Pick<StepResult, "name" | "stdout" | "stderr" | "exitCode" | "outputs">,
  options: WorkflowDataOptions = {},
): Record<string, string | number | null> {
  checkOptions("toWorkflowData", options, { logs: true });
  const { name, stdout, stderr, exitCode, outputs } = result;
  return {
    ...(options.logs === true && { [`${name}.stdout`]: stdout, [`${name}.stderr`]: stderr }),
    [`${name}.exit_code`]: exitCode,
    ...Object.fromEntries(Object.entries(outputs).map(([key, value]) => [`${name}.outputs.${key}`, value])),
  };
}
