/**
 * Returns the environment variable that a piece of workflow data becomes.
 *
 * @example
 * ```ts
 * toVariableName("build.exit_code"); // "BUILD_EXIT_CODE"
 * ```
 */
export function toVariableName(key: string): string {
  return key.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
}
