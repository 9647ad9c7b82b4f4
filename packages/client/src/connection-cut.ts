import { Code, ConnectError } from "@connectrpc/connect";

/** Whether a call failed because the connection or the daemon went away. It may then be sent again. */
export function isConnectionCut(reason: unknown): boolean {
  return (
    reason instanceof ConnectError && (reason.code === Code.Unavailable || reason.code === Code.Canceled)
  );
}
