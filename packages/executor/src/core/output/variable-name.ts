/** The environment variable that a piece of workflow data becomes: `build.exit_code` is `BUILD_EXIT_CODE`. */
export function toVariableName(key: string): string {
  return key.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
}
