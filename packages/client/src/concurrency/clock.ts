import { setTimeout as delay } from "node:timers/promises";

/** The source of time. Tests replace it, so that they do not have to wait. */
export interface Clock {
  /** Milliseconds from a clock that never goes back, even if the machine's clock is changed. */
  monotonicMs(): number;
  /** Milliseconds since 1970, from the machine's clock. */
  wallMs(): number;
  /** Rejects with the signal's reason if the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
};
