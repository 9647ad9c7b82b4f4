import { ContainerdError } from "../error.js";
import { failureOf } from "./failure.js";

/** How one host failed, of several that were asked for the same content. */
export interface HostFailure {
  readonly error: ContainerdError;
  /** True for the registry's own server; false for a mirror. */
  readonly isServer: boolean;
}

/**
 * Combines the failures of all hosts into one error. The server's own failure decides the kind of the error
 * and whether the request is retried. If the server was not asked, the request is retried only if every
 * failure is transient.
 *
 * @param what the subject of the message.
 * @param failures at least one, in the order in which the hosts were asked.
 */
export function combineFailures(what: string, failures: readonly HostFailure[]): ContainerdError {
  const decisive = (
    failures.find(({ isServer }) => isServer) ??
    failures.findLast(({ error }) => failureOf(error)?.isTransient !== true) ??
    (failures.at(-1) as HostFailure)
  ).error;
  if (failures.length === 1) return decisive;
  const said = failures.map(({ error }) => error.message).join("; ");
  const { kind, cause } = decisive;
  return new ContainerdError(`${what} from no host: ${said}`, { kind, cause });
}
