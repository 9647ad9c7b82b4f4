import { ContainerdError } from "../error.js";

/**
 * The error for what the caller has aborted, of kind `canceled`.
 *
 * @param what what was going on: `pull alpine`.
 * @param cause the signal's reason.
 */
export function canceled(what: string, cause: unknown): ContainerdError {
  return new ContainerdError(`${what}: aborted by the caller`, { kind: "canceled", cause });
}
