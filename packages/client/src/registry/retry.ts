import type { OptionNames } from "../options.js";

/** How long to retry when a registry fails. */
export interface RetryPolicy {
  /**
   * Wait before the second attempt, in milliseconds. It doubles for each further attempt.
   *
   * @default 250
   */
  readonly firstDelayMs: number;
  /**
   * Longest wait that doubling can reach, in milliseconds. A Retry-After of the registry can be longer.
   *
   * @default 10000
   */
  readonly longestDelayMs: number;
  /**
   * Milliseconds from the first failure until the transfer is given up. It starts again if at least 1 KiB a
   * second was transferred since.
   *
   * @default 120000
   */
  readonly deadlineMs: number;
}

/** Some of the settings of a {@link RetryPolicy}. The others have their defaults. */
export type RetryOptions = { readonly [K in keyof RetryPolicy]?: RetryPolicy[K] | undefined };

export const RETRY_OPTIONS: OptionNames<RetryOptions> = {
  firstDelayMs: true,
  longestDelayMs: true,
  deadlineMs: true,
};

export const DEFAULT_RETRY: RetryPolicy = { firstDelayMs: 250, longestDelayMs: 10_000, deadlineMs: 120_000 };

export interface Attempts {
  /** Failures in a row, at least 1. */
  readonly failures: number;
  /** Milliseconds since the first of them. */
  readonly elapsedMs: number;
  /** Wait that the registry asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * Milliseconds to wait before the next attempt; undefined to give up, because that attempt would come after
 * the deadline.
 *
 * @param random between 0 and 1. Half of each wait is random, so that many clients do not retry at the same
 * moment.
 */
export function retryDelayMs(
  { failures, elapsedMs, retryAfterMs = 0 }: Attempts,
  { firstDelayMs, longestDelayMs, deadlineMs }: RetryPolicy,
  random: number,
): number | undefined {
  const full = Math.min(firstDelayMs * 2 ** Math.min(failures - 1, 30), longestDelayMs);
  const delayMs = Math.max(full / 2 + (full / 2) * random, retryAfterMs);
  return elapsedMs + delayMs > deadlineMs ? undefined : delayMs;
}

/**
 * Reads a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date.
 *
 * @returns milliseconds from `wallMs` on; undefined if the value cannot be read.
 */
export function parseRetryAfter(value: string | undefined, wallMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse accepts more than HTTP's dates, for example "-5". HTTP's dates start with the name of the day.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  // One of HTTP's three date forms has no time zone; all mean GMT.
  const date = Date.parse(/(?:GMT|UTC|[+-]\d{4})$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(date - wallMs, 0);
}
