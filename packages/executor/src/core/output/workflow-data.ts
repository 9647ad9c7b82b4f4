import { ExecutorError } from "../../error.js";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import { isReservedVariable } from "../step/reserved-variables.js";
import { toVariableName } from "./variable-name.js";

/** Values that a workflow passes from step to step, by name. Null and undefined values are skipped. */
export type WorkflowData = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Keys as `toWorkflowData` makes them. No program takes orders from a variable that ends or continues like
 * this, whatever the step and the key are called.
 */
const OF_A_STEP = /\.(?:stdout|stderr|exit_code|outputs\.[^.]+)$/;

/**
 * Returns the values as environment variables, by name. A variable cannot hold a value that has a NUL byte or
 * is longer than the kernel takes. Such a value is skipped if it is a step's whole output (`.stdout`,
 * `.stderr`), else refused.
 *
 * If two keys become one variable, the one with the higher rank wins, else the later one: see {@link rankOf}.
 *
 * @throws ExecutorError `invalid-argument` for such a value, for one that is not text, a number or a boolean,
 * for an empty name, for a name that programs take orders from, and for two of the caller's keys that become
 * one variable.
 */
export function toVariables(data: WorkflowData): Map<string, string> {
  const variables = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const [key, value] of Object.entries(data)) {
    if (value === null || value === undefined) continue;
    if (!["string", "number", "boolean"].includes(typeof value))
      refuseData(
        key,
        `is ${Array.isArray(value) ? "a list" : `of type ${typeof value}`}`,
        "text, a number, true or false",
      );
    const name = toVariableName(key);
    if (name === "") refuseData(key, "is empty", "a name of one character or more, for example release");
    const other = keys.get(name);
    if (other !== undefined && rankOf(other) === Infinity && rankOf(key) === Infinity)
      refuseData(
        key,
        `becomes the variable ${name.slice(0, 80)}, as does ${other.slice(0, 80)}`,
        "only one of the two",
      );
    if (!OF_A_STEP.test(key) && isReservedVariable(name))
      refuseData(
        key,
        `becomes the variable ${name.slice(0, 80)}, which changes how programs work`,
        "another name; or set the variable in the step's env",
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
 * Ranks the keys that become one variable; the highest wins. The caller's own names come first, then longer
 * step names. An output of the step `a` with the key `b_outputs_c`, which that step chose, must not replace
 * the output `c` of the step `a_outputs_b`, whose name the workflow's author chose. Within one step
 * (`version`, `VERSION`) the later key wins, as it does if one key is set twice.
 */
function rankOf(key: string): number {
  const match = OF_A_STEP.exec(key);
  return match === null ? Infinity : match.index;
}

function bytesOf(text: string): number {
  return text.length < MAX_STRING_BYTES ? new TextEncoder().encode(text).byteLength : text.length;
}

/** Refuses a piece of data without showing its value. */
function refuseData(key: string, message: string, allowed: string): never {
  throw new ExecutorError(`data: ${key.slice(0, 80)} ${message}; allowed: ${allowed}`, {
    kind: "invalid-argument",
    issues: [{ field: `data.${key.slice(0, 80)}`, message, allowed }],
  });
}
