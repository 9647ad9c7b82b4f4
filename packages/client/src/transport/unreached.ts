import type { ConnectError } from "@connectrpc/connect";

/** Errors of calls that got no answer: the connection could not be made, or was cut. */
const unreached = new WeakSet<ConnectError>();

/** The status of calls that end because the client was closed. */
export const CLOSED = "the client was closed";

export function markUnreached(error: ConnectError): ConnectError {
  unreached.add(error);
  return error;
}

/** Whether the call got no answer. The daemon's own answer may also have the code Unavailable. */
export function isUnreached(error: ConnectError): boolean {
  return unreached.has(error);
}
