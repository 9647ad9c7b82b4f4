import { ContainerdError } from "../error.js";
import type { Clock } from "./clock.js";
import { failureOf } from "./failure.js";
import { type RetryPolicy, retryDelayMs } from "./retry.js";

/** Decides, for one thing that is wanted from a registry, whether and when to ask again. */
export interface Retrier {
  /** Something came, or was taken: the count of failures, and with the next one the time, begin anew. */
  progress(): void;
  /**
   * Waits before the next attempt.
   *
   * @throws `error` when it is none that passes, or there is no time left; ContainerdError `canceled` when the signal is aborted.
   */
  wait(error: unknown, signal?: AbortSignal): Promise<void>;
}

export function createRetrier(
  policy: RetryPolicy,
  clock: Clock,
  random: () => number = Math.random,
): Retrier {
  let failures = 0;
  let sinceMs = 0;
  return {
    progress() {
      failures = 0;
    },
    async wait(error, signal) {
      const failure = failureOf(error);
      if (failure?.isTransient !== true) throw error;
      if (failures++ === 0) sinceMs = clock.monotonicMs();
      const elapsedMs = clock.monotonicMs() - sinceMs;
      const delayMs = retryDelayMs(
        { failures, elapsedMs, retryAfterMs: failure.retryAfterMs },
        policy,
        random(),
      );
      if (delayMs === undefined)
        throw givenUp(error as ContainerdError, failures, elapsedMs, failure.retryAfterMs);
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
