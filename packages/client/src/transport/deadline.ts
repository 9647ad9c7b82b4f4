import { Code, ConnectError } from "@connectrpc/connect";

/** Node's timers take no more: about 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** A time-out as Connect takes it: undefined for none, which here 0 stands for (Connect's own 0 is a deadline that has passed). */
export function normalizeTimeout(timeoutMs: number | undefined): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 && timeoutMs <= LONGEST_MS ? timeoutMs : undefined;
}

/**
 * The header that tells the daemon how long the caller waits, so that it gives up by itself too. gRPC allows 8 digits.
 *
 * grpc-js would make it of the wall clock, where a jump of an hour ends the call; Connect's timers are monotonic.
 */
export function toTimeoutHeader(timeoutMs: number): string {
  const ms = Math.ceil(timeoutMs);
  return ms < 100_000_000 ? `${ms}m` : `${Math.ceil(ms / 1000)}S`;
}

/** Says, where a call met the deadline that it was given here, who did not answer and for how long. */
export async function withDeadline<T>(
  run: () => Promise<T>,
  { timeoutMs, startedAt, address }: { timeoutMs: number | undefined; startedAt: number; address: string },
): Promise<T> {
  try {
    return await run();
  } catch (reason) {
    // The daemon has deadlines of its own, which end earlier.
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
