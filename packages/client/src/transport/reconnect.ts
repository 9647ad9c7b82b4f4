import { Code, ConnectError } from "@connectrpc/connect";
import { explain } from "../explain.js";
import type { Connection } from "./connection.js";
import { probe } from "./probe.js";
import { describeFinding } from "./unavailable.js";
import { markUnreached } from "./unreached.js";

/**
 * Longer than the answer of a busy daemon, the longest pause between two connection attempts, or a handshake.
 */
const RECONNECT_MS = 5_000;
/**
 * How long grpc-js may take to reconnect when the daemon has just answered a probe, in milliseconds. It waits
 * without end on a connection that was opened while the path was silent.
 */
const STUCK_MS = 3_000;

/**
 * Must be awaited before each call. After a failed connection attempt, grpc-js refuses calls until its next
 * attempt succeeds, even if the daemon is already back. So this probes the daemon, and if it answers, waits
 * until grpc-js has reconnected. Otherwise this does nothing.
 *
 * @returns early if the signal is aborted.
 * @throws ConnectError Unavailable, with the reason, if the daemon is not back.
 */
export async function awaitReconnect(connection: Connection, signal: AbortSignal): Promise<void> {
  if (signal.aborted || !connection.isFailing()) return;
  const { address, tls } = connection;
  const finding = await probe(address, tls, { patienceMs: RECONNECT_MS, signal }).catch(() => undefined);
  if (signal.aborted) return;
  if (finding?.kind !== "http2") {
    const failure = new ConnectError(`${address.text} cannot be reached`, Code.Unavailable);
    throw markUnreached(await explain(failure, () => finding && describeFinding(finding, address)));
  }
  const late = new AbortController();
  // This timer keeps the process running. The timers of grpc-js do so only during calls.
  const timer = setTimeout(() => late.abort(), RECONNECT_MS);
  const stuck = setTimeout(() => connection.cut(), STUCK_MS);
  try {
    await connection.reconnected(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
    clearTimeout(stuck);
  }
}
