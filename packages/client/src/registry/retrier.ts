import type { Clock } from "../concurrency/clock.js";
import { isFastEnough } from "../concurrency/throughput.js";
import { ContainerdError } from "../error.js";
import { failureOf } from "./failure.js";
import { type RetryPolicy, retryDelayMs } from "./retry.js";

/** Decides, for one thing that is wanted from a registry, whether and when to ask again. */
export interface Retrier {
  /**
   * Bytes came, or were taken. If they are worth the time since the first failure, the count of failures, and with it the time, begin anew with
   * the next one: a registry that gives a byte at a time does not go on for ever.
   */
  progress(bytes: number): void;
  /**
   * Waits before the next attempt.
   *
   * @throws `error` when it is none that passes, or there is no time left; ContainerdError `canceled` when the signal is aborted.
   */
  wait(error: unknown, signal?: AbortSignal): Promise<void>;
}

/** A wait that is about to begin. */
export interface Retry {
  /** The failures since the last success, this one included. */
  readonly failures: number;
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** What went wrong. */
  readonly reason: string;
}

export interface RetrierOptions {
  /** Told of each wait, before it. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** Between 0 and 1. */
  readonly random?: (() => number) | undefined;
}

export function createRetrier(
  policy: RetryPolicy,
  clock: Clock,
  { onRetry, random = Math.random }: RetrierOptions = {},
): Retrier {
  let failures = 0;
  let sinceMs = 0;
  let bytesSince = 0;
  return {
    progress(bytes) {
      bytesSince += bytes;
    },
    async wait(error, signal) {
      const failure = failureOf(error);
      if (failure?.isTransient !== true) throw error;
      const nowMs = clock.monotonicMs();
      if (failures > 0 && isFastEnough(bytesSince, nowMs - sinceMs)) failures = 0;
      if (failures++ === 0) {
        sinceMs = nowMs;
        bytesSince = 0;
      }
      const elapsedMs = nowMs - sinceMs;
      const delayMs = retryDelayMs(
        { failures, elapsedMs, retryAfterMs: failure.retryAfterMs },
        policy,
        random(),
      );
      if (delayMs === undefined)
        throw givenUp(error as ContainerdError, failures, elapsedMs, failure.retryAfterMs);
      onRetry?.({ failures, delayMs, reason: (error as ContainerdError).message });
      await clock.sleep(delayMs, signal).catch((cause: unknown) => {
        throw new ContainerdError("aborted by the caller", { kind: "canceled", cause });
      });
    },
  };
}

/** Attempts something until it succeeds, or the retrier gives up. */
export async function retrying<T>(
  { retrier, signal }: { readonly retrier: Retrier; readonly signal?: AbortSignal | undefined },
  attempt: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (reason) {
      await retrier.wait(reason, signal);
    }
  }
}

function givenUp(
  error: ContainerdError,
  failures: number,
  elapsedMs: number,
  retryAfterMs: number | undefined,
): ContainerdError {
  const wish =
    retryAfterMs === undefined ? "" : `, and it asks to wait ${Math.ceil(retryAfterMs / 1000)} s more`;
  const { message, kind, cause } = error;
  return new ContainerdError(
    `${message}; given up after ${failures} attempts in ${Math.round(elapsedMs / 1000)} s${wish}`,
    {
      kind,
      cause,
    },
  );
}
