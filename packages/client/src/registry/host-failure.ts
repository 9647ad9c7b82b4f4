import { ContainerdError } from "../error.js";
import { failureOf } from "./failure.js";

/** What one of the hosts that were asked for the same made of it. */
export interface HostFailure {
  readonly error: ContainerdError;
  /** The registry's own server, for which the others stand in. */
  readonly isServer: boolean;
}

/**
 * What to say, and whether to ask again, when no host gives what it was asked for: the server's own word decides. Where it was not asked, only
 * what may pass with every host is asked for again.
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
