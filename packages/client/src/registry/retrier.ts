import type { Clock } from "../concurrency/clock.js";
import { isFastEnough } from "../concurrency/throughput.js";
import { traceRetry } from "../diagnostics/retry.js";
import { ContainerdError } from "../error.js";
import { failureOf } from "./failure.js";
import { type RetryPolicy, retryDelayMs } from "./retry.js";

/** Decides whether and when to retry the requests for one blob or manifest. */
export interface Retrier {
  /**
   * Reports transferred bytes. If they came at 1 KiB a second or more since the first failure, the count of
   * failures and the deadline start again at the next failure. A registry that sends one byte at a time
   * cannot go on forever.
   */
  progress(bytes: number): void;
  /**
   * Waits before the next attempt.
   *
   * @throws `error` if it is not transient, or if there is no time left; ContainerdError `canceled` if the
   * signal is aborted.
   */
  wait(error: unknown, signal?: AbortSignal): Promise<void>;
}

/** A wait that is about to begin. */
export interface Retry {
  /** Failures since the last success, including this one. */
  readonly failures: number;
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** What went wrong. */
  readonly reason: string;
}

export interface RetrierOptions {
  /** What is transferred, for diagnostics. */
  readonly what?: string | undefined;
  /** Called before each wait. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** Returns a number between 0 and 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export function createRetrier(
  policy: RetryPolicy,
  clock: Clock,
  { what = "", onRetry, random = Math.random }: RetrierOptions = {},
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
      onRetry?.({ failures, delayMs, reason: messageOf(error) });
      const sleep = (): Promise<void> =>
        clock.sleep(delayMs, signal).catch((cause: unknown) => {
          throw new ContainerdError("aborted by the caller", { kind: "canceled", cause });
        });
      await traceRetry(
        () => ({ of: "registry-request", what, attempt: failures + 1, delayMs, reason: messageOf(error) }),
        sleep,
      );
    },
  };
}

/** Repeats an attempt until it succeeds or the retrier gives up. */
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

function messageOf(error: unknown): string {
  return (error as ContainerdError).message;
}

function givenUp(
  error: ContainerdError,
  failures: number,
  elapsedMs: number,
  retryAfterMs: number | undefined,
): ContainerdError {
  const wish =
    retryAfterMs === undefined
      ? ""
      : `, and the registry asks to wait ${Math.ceil(retryAfterMs / 1000)} s more`;
  const { message, kind, cause } = error;
  return new ContainerdError(
    `${message}; given up after ${failures} attempts in ${Math.round(elapsedMs / 1000)} s${wish}`,
    {
      kind,
      cause,
    },
  );
}
