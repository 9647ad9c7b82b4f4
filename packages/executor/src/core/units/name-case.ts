/** Returns `working_dir` for `workingDir`. A name that is already in snake_case stays as it is. */
export function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Returns `workingDir` for `working_dir`. */
export function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Tells whether names are in camelCase, as in programs. Single words are not: files have them, too. */
export function areCamelCase(names: readonly string[]): boolean {
  return names.some((name) => /[a-z][A-Z]/.test(name)) && !names.some((name) => /[a-z]_[a-z]/.test(name));
}
