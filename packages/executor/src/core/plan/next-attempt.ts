import type { StepAttempt } from "../output/attempt.js";
import type { RetryCause, RetryPolicy } from "../step/retry.js";

/** How long a delay may grow, in milliseconds. A longer first delay stays as it is. */
const LONGEST_DELAY_MS = 3_600_000;

/** How an attempt ended, as far as it decides about the next one. */
export interface EndedAttempt extends Pick<StepAttempt, "cause"> {
  /** Which attempt it was, from 1 on. */
  readonly number: number;
  /** Whether it ended by itself with exit code 0. */
  readonly ok: boolean;
  /** Whether its container could not be ended, and may still run. */
  readonly mayStillRun: boolean;
}

/**
 * Decides whether another attempt follows.
 *
 * An attempt that may still run has an unknown outcome, whatever its error is. Another one could run beside
 * it.
 *
 * @returns how long to wait before it, in milliseconds; undefined if none follows.
 */
export function delayBeforeNext(retry: RetryPolicy, ended: EndedAttempt): number | undefined {
  const { number, ok, cause, mayStillRun } = ended;
  const isListed = retry.on.includes(cause as RetryCause) && (!mayStillRun || retry.on.includes("unknown"));
  if (ok || !isListed || number >= retry.attempts) return undefined;
  const longestMs = Math.max(retry.delayMs, LONGEST_DELAY_MS);
  return Math.min(Math.round(retry.delayMs * retry.backoff ** (number - 1)), longestMs);
}
