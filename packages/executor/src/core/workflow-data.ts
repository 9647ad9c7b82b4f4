import { ExecutorError } from "../error.js";
import type { StepResult } from "./result.js";

/** Values that a workflow hands from step to step, by name. Null and undefined values are passed over. */
export type WorkflowData = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A result as values for the steps that follow: `<step>.stdout`, `<step>.stderr`, `<step>.exit_code`, and its outputs by their own keys. */
export function toWorkflowData(
  result: Pick<StepResult, "name" | "stdout" | "stderr" | "exitCode" | "outputs">,
): Record<string, string | number | null> {
  const { name, stdout, stderr, exitCode, outputs } = result;
  return {
    [`${name}.stdout`]: stdout,
    [`${name}.stderr`]: stderr,
    [`${name}.exit_code`]: exitCode,
    ...outputs,
  };
}

/** The kernel's limit for one string of argv or the environment (MAX_ARG_STRLEN); a program with a longer one is not started. */
const MAX_VARIABLE_BYTES = 128 * 1024;

/**
 * The values as environment variables hold them. One that no variable can hold, because it has a NUL or is longer than the kernel
 * takes, is passed over when it is a step's output as a whole, and refused otherwise.
 *
 * @throws ExecutorError `invalid-argument`.
 */
export function toStrings(data: WorkflowData): Record<string, string> {
  const strings = new Map<string, string>();
  for (const [key, value] of Object.entries(data)) {
    if (value === null || value === undefined) continue;
    if (!["string", "number", "boolean"].includes(typeof value))
      refuseValue(key, "is no text, number or boolean", "one of them");
    const text = String(value);
    const fits = !text.includes("\0") && key.length + text.length * 3 < MAX_VARIABLE_BYTES;
    if (fits) strings.set(key, text);
    else if (!/\.(?:stdout|stderr)$/.test(key))
      refuseValue(key, "holds NUL or is too long", `less than ${MAX_VARIABLE_BYTES} bytes without NUL`);
  }
  return Object.fromEntries(strings);
}

function refuseValue(key: string, message: string, allowed: string): never {
  throw new ExecutorError(`data: ${key.slice(0, 80)} ${message}; allowed: ${allowed}`, {
    kind: "invalid-argument",
    issues: [{ field: `data.${key.slice(0, 80)}`, message, allowed }],
  });
}
