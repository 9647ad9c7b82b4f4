import { setTimeout as delay } from "node:timers/promises";

/** Waits between attempts. Each wait is twice as long as the one before. */
export interface Backoff {
  /** @throws the signal's reason, as an `AbortError`. */
  wait(signal?: AbortSignal): Promise<void>;
  /** Begins again with the shortest wait, after a success. */
  reset(): void;
}

const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/** @param sleep replaces the timer in tests. */
export function createBackoff(
  sleep: (delayMs: number, signal: AbortSignal | undefined) => Promise<void> = sleepFor,
): Backoff {
  let delayMs = FIRST_MS;
  return {
    async wait(signal) {
      const nowMs = delayMs;
      delayMs = Math.min(delayMs * 2, LONGEST_MS);
      await sleep(nowMs, signal);
    },
    reset() {
      delayMs = FIRST_MS;
    },
  };
}

async function sleepFor(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(delayMs, undefined, { signal });
}
