import { ContainerdError } from "./error.js";

/**
 * Refuses what a caller gave.
 *
 * @param problem the field, and what is wrong with its value: `tls.key: is given without tls.cert`.
 * @param allowed completes the message: `problem; allowed: ...`.
 * @throws ContainerdError always, `invalid-argument`.
 */
export function refuse(problem: string, allowed?: string, cause?: unknown): never {
  const message = allowed === undefined ? problem : `${problem}; allowed: ${allowed}`;
  throw new ContainerdError(message, { kind: "invalid-argument", cause });
}
