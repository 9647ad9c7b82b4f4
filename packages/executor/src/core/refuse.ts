import { ExecutorError } from "../error.js";

/**
 * Throws the one error for input that is understood and not taken.
 *
 * @param field what it is about, as it is written in a step file
 * @param message what is wrong with it
 * @param allowed what would be taken
 */
export function refuse(field: string, message: string, allowed: string): never {
  throw new ExecutorError(`${field}: ${message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field, message, allowed }],
  });
}

/** As {@link refuse}, unless what must hold does. */
export function requireThat(holds: boolean, field: string, message: string, allowed: string): asserts holds {
  if (!holds) refuse(field, message, allowed);
}
