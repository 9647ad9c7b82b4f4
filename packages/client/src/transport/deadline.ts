import { Code, ConnectError } from "@connectrpc/connect";

/** The limit of Node's timers: about 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Converts a time-out to Connect's form. 0 means no time-out and becomes undefined, because in Connect 0 is a
 * deadline that has passed.
 */
export function normalizeTimeout(timeoutMs: number | undefined): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 && timeoutMs <= LONGEST_MS ? timeoutMs : undefined;
}

/**
 * Returns the header that tells the daemon how long the caller waits, so that the daemon gives up then too.
 * gRPC allows 8 digits.
 *
 * grpc-js would compute it from the wall clock, so a clock change of an hour would end the call. Connect's
 * timers are monotonic.
 */
export function toTimeoutHeader(timeoutMs: number): string {
  const ms = Math.ceil(timeoutMs);
  return ms < 100_000_000 ? `${ms}m` : `${Math.ceil(ms / 1000)}S`;
}

/** Runs a call. If the call passes its own deadline, the error names the daemon and the time-out. */
export async function withDeadline<T>(
  run: () => Promise<T>,
  { timeoutMs, startedAt, address }: { timeoutMs: number | undefined; startedAt: number; address: string },
): Promise<T> {
  try {
    return await run();
  } catch (reason) {
    // The daemon also has its own deadlines, which may end earlier.
    const isOurs = timeoutMs !== undefined && performance.now() - startedAt >= timeoutMs - 1;
    if (!isOurs || !(reason instanceof ConnectError) || reason.code !== Code.DeadlineExceeded) throw reason;
    throw new ConnectError(
      `the daemon at ${address} did not answer within ${timeoutMs} ms`,
      Code.DeadlineExceeded,
      reason.metadata,
      undefined,
      reason,
    );
  }
}
