import { Code, ConnectError } from "@connectrpc/connect";
import { ContainerdError } from "../error.js";
import { CLOSED, isUnreached } from "../transport/unreached.js";

/** Errors that end an outage's waiting. They must not start it again. */
const finals = new WeakSet<ConnectError>();

export function markFinal(error: ConnectError): ConnectError {
  finals.add(error);
  return error;
}

/**
 * What a failed call says about the daemon.
 *
 * `away`: the connection could not be made or was cut, or the daemon cancelled the call, as it does when it
 * shuts down. `perhaps-away`: no answer in time, or an answer that a daemon also gives for other reasons. A
 * daemon that was stopped for a while finds that its own calls to a shim are late: "context deadline
 * exceeded", of kind `unknown`. A daemon with a slow shim says the same. So whoever calls this asks the
 * daemon for its version. `answered`: the daemon has answered, or the client was closed.
 */
export function judgeFailure(reason: unknown): "away" | "perhaps-away" | "answered" {
  const error = reason instanceof ContainerdError ? reason.cause : reason;
  if (!(error instanceof ConnectError) || finals.has(error)) return "answered";
  if (isUnreached(error)) return "away";
  switch (error.code) {
    case Code.Canceled:
      return error.rawMessage === CLOSED ? "answered" : "away";
    case Code.Unavailable:
      // Also the daemon's own answer for an ingest that another writer has open.
      return /\blocked\b/.test(error.rawMessage) ? "answered" : "perhaps-away";
    case Code.DeadlineExceeded:
      return "perhaps-away";
    case Code.Unknown:
      return /context (?:deadline exceeded|canceled)/.test(error.rawMessage) ? "perhaps-away" : "answered";
    default:
      return "answered";
  }
}
