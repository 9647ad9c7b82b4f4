import { ExecutorError } from "../../error.js";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import { isReservedVariable } from "../step/reserved-variables.js";
import type { StepResult } from "./result.js";
import { toVariableName } from "./variable-name.js";

/** Values that a workflow hands from step to step, by name. Null and undefined values are passed over. */
export type WorkflowData = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** What of a result goes on to later steps. */
export interface WorkflowDataOptions {
  /**
   * Standard output and error too. The kernel takes less than 128 KiB in one variable, so a longer log is left out, and about 2 MiB in all.
   *
   * @default false
   */
  readonly logs?: boolean;
}

/**
 * A result as values for the steps that follow: `<step>.exit_code` and `<step>.outputs.<key>`; with `logs` also `<step>.stdout` and
 * `<step>.stderr`.
 *
 * The step chose the keys and values of its outputs, and these become environment variables of another: so each stands behind a name that
 * no program takes orders from, and that no other step has.
 */
export function toWorkflowData(
  result: Pick<StepResult, "name" | "stdout" | "stderr" | "exitCode" | "outputs">,
  { logs = false }: WorkflowDataOptions = {},
): Record<string, string | number | null> {
  const { name, stdout, stderr, exitCode, outputs } = result;
  return {
    ...(logs && { [`${name}.stdout`]: stdout, [`${name}.stderr`]: stderr }),
    [`${name}.exit_code`]: exitCode,
    ...Object.fromEntries(Object.entries(outputs).map(([key, value]) => [`${name}.outputs.${key}`, value])),
  };
}

/** What `toWorkflowData` makes: whatever the step and the key are called, no program takes orders from a variable that ends so, or has this inside. */
const OF_A_STEP = /\.(?:stdout|stderr|exit_code|outputs\.[^.]+)$/;

/**
 * The values as environment variables, by their names. One that no variable can hold, because it has a NUL or is longer than the kernel
 * takes, is passed over when it is a step's output as a whole, and refused otherwise.
 *
 * Where two keys become one variable, the one with the higher rank wins, else the later one: see {@link rankOf}.
 *
 * @throws ExecutorError `invalid-argument`; also for a name that programs take orders from, and for two keys of the caller's that become
 * one variable.
 */
export function toVariables(data: WorkflowData): Map<string, string> {
  const variables = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const [key, value] of Object.entries(data)) {
    if (value === null || value === undefined) continue;
    if (!["string", "number", "boolean"].includes(typeof value))
      refuseData(key, "is not a text, number or boolean", "one of them");
    const name = toVariableName(key);
    if (name === "") refuseData(key, "is empty", "a name of one character or more");
    const other = keys.get(name);
    if (other !== undefined && rankOf(other) === Infinity && rankOf(key) === Infinity)
      refuseData(key, `becomes ${name.slice(0, 80)}, as ${other.slice(0, 80)} does`, "one of them");
    if (!OF_A_STEP.test(key) && isReservedVariable(name))
      refuseData(
        key,
        `becomes ${name.slice(0, 80)}, which programs take orders from`,
        "another name, or the step's env",
      );
    if (other !== undefined && rankOf(other) > rankOf(key)) continue;
    const text = String(value);
    if (!text.includes("\0") && bytesOf(`${name}=${text}`) < MAX_STRING_BYTES) {
      variables.set(name, text);
      keys.set(name, key);
    } else if (!/\.(?:stdout|stderr)$/.test(key))
      refuseData(
        key,
        "has a NUL byte or is too long",
        `fewer than ${MAX_STRING_BYTES} bytes, without NUL bytes`,
      );
  }
  return variables;
}

/**
 * Which of two keys for one variable wins. The caller's own names are first. Then the longer step name: an output of the step `a` with the key
 * `b_outputs_c`, which that step chose, must not replace the output `c` of the step `a_outputs_b`, whose name the workflow's author chose.
 * Within one step (`version`, `VERSION`) the later one wins, as it does for one key.
 */
function rankOf(key: string): number {
  const match = OF_A_STEP.exec(key);
  return match === null ? Infinity : match.index;
}

function bytesOf(text: string): number {
  return text.length < MAX_STRING_BYTES ? new TextEncoder().encode(text).byteLength : text.length;
}

/** Says what is wrong with a piece of data, without its value. */
function refuseData(key: string, message: string, allowed: string): never {
  throw new ExecutorError(`data: ${key.slice(0, 80)} ${message}; allowed: ${allowed}`, {
    kind: "invalid-argument",
    issues: [{ field: `data.${key.slice(0, 80)}`, message, allowed }],
  });
}
