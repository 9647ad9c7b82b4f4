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
