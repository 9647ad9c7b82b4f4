import { requireThat } from "../refuse.js";

/** The kernel's limit on one argument or variable, with its final NUL (MAX_ARG_STRLEN of Linux: 32 pages). */
export const MAX_STRING_BYTES = 128 * 1024;
/** The default stack limit. All strings together may take a quarter of the stack limit (execve(2)). */
const STACK_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 128 * 1024;
/** Each string also takes a pointer. `SPARE_BYTES` is for what the kernel and the runtime's own start add. */
const POINTER_BYTES = 8;
const SPARE_BYTES = 16 * 1024;

/**
 * Refuses arguments and an environment that the kernel would not take. Without this check, the runtime would
 * start the container and fail at its last act, as if the step's program had failed.
 *
 * @param stackBytes the stack limit that the step sets, if any
 * @throws ExecutorError `refused`.
 */
export function checkExecSize(
  args: readonly string[],
  env: readonly string[],
  stackBytes = STACK_BYTES,
): void {
  const encoder = new TextEncoder();
  let total = 0;
  for (const [field, strings] of [
    ["command", args],
    ["env", env],
  ] as const) {
    for (const text of strings) {
      const bytes = encoder.encode(text).byteLength + 1;
      const what = field === "env" ? (text.split("=", 1)[0] ?? "") : "an argument";
      requireThat(
        bytes <= MAX_STRING_BYTES,
        field,
        `${what.slice(0, 80)} has ${bytes - 1} bytes`,
        `fewer than ${MAX_STRING_BYTES} bytes`,
      );
      total += bytes + POINTER_BYTES;
    }
  }
  const most = Math.max(LEAST_BYTES, Math.min(stackBytes, STACK_BYTES) / 4) - SPARE_BYTES;
  requireThat(
    total <= most,
    "command, env",
    `the arguments and the environment have ${total} bytes together`,
    `up to ${most} bytes, where each argument and variable counts 9 bytes more than its text`,
  );
}
