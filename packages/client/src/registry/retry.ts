/** How long a registry that fails is asked again. */
export interface RetryPolicy {
  /** Milliseconds before the second attempt; doubled for each further one. Default 250. */
  readonly firstDelayMs: number;
  /** The most that one wait doubles up to, in milliseconds. Default 10,000. A registry's own Retry-After may be longer. */
  readonly longestDelayMs: number;
  /** Milliseconds from a failure on after which it is given up, unless 1 KiB a second has come, or was taken, since. Default 120,000. */
  readonly deadlineMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { firstDelayMs: 250, longestDelayMs: 10_000, deadlineMs: 120_000 };

export interface Attempts {
  /** Failures in a row, at least 1. */
  readonly failures: number;
  /** Milliseconds since the first of them. */
  readonly elapsedMs: number;
  /** What the registry asked for. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * How many milliseconds to wait before the next attempt; undefined to give up, because that attempt would come after the deadline.
 *
 * @param random between 0 and 1: half of each wait is left to chance, so that many clients do not come back at once.
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
 * @returns milliseconds from `wallMs` on, or undefined when it says nothing that can be understood.
 */
export function parseRetryAfter(value: string | undefined, wallMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse takes much more than HTTP's dates, "-5" among it: those start with the day's name.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  // Of its three forms one has no zone, and all mean GMT.
  const date = Date.parse(/(?:GMT|UTC|[+-]\d{4})$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(date - wallMs, 0);
}
