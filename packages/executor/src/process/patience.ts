import { startTimer, type Timer } from "../timer.js";
import type { StopSignals } from "./stop-signals.js";

/**
 * Ends the waiting for a daemon that is away, before the outage's deadline, if the step is to end. After its
 * disposal nothing waits any more.
 */
export interface Patience extends Disposable {
  /** Aborted when the step does not wait any more. */
  readonly signal: AbortSignal;
  /** How often the daemon was away, as far as calls of the step noticed it. */
  readonly outages: number;
  countOutage(): void;
  /**
   * From now on the step has a process, which may take so long to end after its stop signal, in milliseconds.
   */
  setGrace(graceMs: number): void;
  /** The process is asked to end: after the grace period, nothing waits any more. */
  end(): void;
}

export function createPatience({ stop, forceKill }: StopSignals): Patience {
  const over = new AbortController();
  let outages = 0;
  let graceMs = 0;
  let grace: Timer | undefined;

  function end(): void {
    if (graceMs === 0) endAtOnce();
    grace ??= startTimer(graceMs);
    void grace.fired.then(endAtOnce);
  }

  const endAtOnce = (): void => over.abort();
  if (stop.aborted) end();
  stop.addEventListener("abort", end, { once: true });
  if (forceKill.aborted) endAtOnce();
  forceKill.addEventListener("abort", endAtOnce, { once: true });
  return {
    signal: over.signal,
    get outages() {
      return outages;
    },
    countOutage() {
      outages++;
    },
    setGrace(ms) {
      graceMs = ms;
    },
    end,
    [Symbol.dispose]() {
      endAtOnce();
      grace?.cancel();
      stop.removeEventListener("abort", end);
      forceKill.removeEventListener("abort", endAtOnce);
    },
  };
}
