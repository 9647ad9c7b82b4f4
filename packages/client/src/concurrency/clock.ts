import { setTimeout as delay } from "node:timers/promises";

/** Time, so that waiting can be tested without waiting. */
export interface Clock {
  /** Milliseconds that only grow, whatever happens to the machine's clock. */
  monotonicMs(): number;
  /** Milliseconds since 1970, by the machine's clock. */
  wallMs(): number;
  /** Rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
};
