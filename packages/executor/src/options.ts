import { findUnknownOptions, type OptionNames } from "@wfe-containerd/client/internal";
import { ExecutorError } from "./error.js";

/**
 * Refuses options that do not exist, so that a program without types learns of a misspelt one.
 *
 * @param caller begins the error's message: `createExecutor`.
 * @throws ExecutorError `invalid-argument` that names all of them.
 */
export function checkOptions<T extends object>(
  caller: string,
  options: T | undefined,
  names: OptionNames<T>,
): void {
  const problems = findUnknownOptions(options, names);
  if (problems.length === 0) return;
  throw new ExecutorError(`${caller}: ${problems.join("; ")}`, { kind: "invalid-argument" });
}

/**
 * Checks a duration, whose type a program without types may have missed.
 *
 * @returns the duration.
 * @throws ExecutorError `invalid-argument` that names the option.
 */
export function checkDuration(caller: string, name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new ExecutorError(
    `${caller}: ${name} is not a duration: ${String(value)}; allowed: milliseconds from 0 on; example: 60000`,
    { kind: "invalid-argument" },
  );
}
