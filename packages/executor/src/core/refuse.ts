import { ExecutorError } from "../error.js";

/**
 * Throws the error for input that is understood but not accepted.
 *
 * @param field the field, as written in a step file
 * @param message what is wrong with it
 * @param allowed what would be accepted
 * @throws ExecutorError `refused`.
 */
export function refuse(field: string, message: string, allowed: string): never {
  throw new ExecutorError(`${field}: ${message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field, message, allowed }],
  });
}

/** Throws like {@link refuse} unless `holds` is true. */
export function requireThat(holds: boolean, field: string, message: string, allowed: string): asserts holds {
  if (!holds) refuse(field, message, allowed);
}
