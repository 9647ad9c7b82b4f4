import { requireThat } from "../refuse.js";

/** What the kernel takes of one argument or variable, with the NUL at its end (MAX_ARG_STRLEN of Linux: 32 pages). */
export const MAX_STRING_BYTES = 128 * 1024;
/** Of all of them together: a quarter of the stack's limit, which is 8 MiB where nobody sets another (execve(2)). */
const STACK_BYTES = 8 * 1024 * 1024;
const LEAST_BYTES = 128 * 1024;
/** Beside each string its pointer, and some room for what the kernel and the runtime's own start add. */
const POINTER_BYTES = 8;
const SPARE_BYTES = 16 * 1024;

/**
 * Refuses arguments and an environment that the kernel would not take: the runtime starts the container, and its last act would fail as if the
 * step's program had.
 *
 * @param stackBytes the limit that the step sets, if any.
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
        `fewer than ${MAX_STRING_BYTES}`,
      );
      total += bytes + POINTER_BYTES;
    }
  }
  const most = Math.max(LEAST_BYTES, Math.min(stackBytes, STACK_BYTES) / 4) - SPARE_BYTES;
  requireThat(
    total <= most,
    "command, env",
    `the arguments and the environment have ${total} bytes together`,
    `at most ${most}, of which each string takes 9 besides its own`,
  );
}
