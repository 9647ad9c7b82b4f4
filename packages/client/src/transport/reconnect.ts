import { Code, ConnectError } from "@connectrpc/connect";
import { explain } from "../explain.js";
import type { Connection } from "./connection.js";
import { probe } from "./probe.js";
import { describeFinding } from "./unavailable.js";

/** Longer than a busy daemon takes to answer, than the longest pause between two tries to connect, and a handshake. */
const RECONNECT_MS = 5_000;

/**
 * To be awaited before a call. After a try to connect that failed, grpc-js refuses calls until its next one has succeeded, also while the daemon
 * is back already: so it is looked for, and if it is there, the connection is waited for. At all other times this does nothing.
 *
 * @returns early when the signal is aborted.
 * @throws ConnectError Unavailable, with the reason, while the daemon is not back.
 */
export async function awaitReconnect(connection: Connection, signal: AbortSignal): Promise<void> {
  if (signal.aborted || !connection.isFailing()) return;
  const { address, tls } = connection;
  const finding = await probe(address, tls, { patienceMs: RECONNECT_MS, signal }).catch(() => undefined);
  if (signal.aborted) return;
  if (finding?.kind !== "http2") {
    const failure = new ConnectError(`${address.text} cannot be reached`, Code.Unavailable);
    throw await explain(failure, () => finding && describeFinding(finding, address));
  }
  const late = new AbortController();
  // A timer that keeps the process: grpc-js's own do so for calls alone.
  const timer = setTimeout(() => late.abort(), RECONNECT_MS);
  try {
    await connection.reconnected(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
