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

/**
 * A daemon that is just coming back, or a connection that was just cut, is waited for this long, in
 * milliseconds, though the process is to end: otherwise nobody could tell whether it has.
 */
const BACK_MS = 3_000;

export function createPatience({ stop, forceKill }: StopSignals): Patience {
  const over = new AbortController();
  let outages = 0;
  /** Undefined: the step has no process. */
  let graceMs: number | undefined;
  let grace: Timer | undefined;
  let last: Timer | undefined;

  function endAfter(timeMs: number): Timer {
    const timer = startTimer(timeMs);
    void timer.fired.then(endAtOnce);
    return timer;
  }

  function end(): void {
    if (graceMs === undefined) endAtOnce();
    else grace ??= endAfter(Math.max(graceMs, BACK_MS));
  }

  function endSoon(): void {
    if (graceMs === undefined) endAtOnce();
    else last ??= endAfter(BACK_MS);
  }

  const endAtOnce = (): void => over.abort();
  if (stop.aborted) end();
  stop.addEventListener("abort", end, { once: true });
  if (forceKill.aborted) endSoon();
  forceKill.addEventListener("abort", endSoon, { once: true });
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
      last?.cancel();
      stop.removeEventListener("abort", end);
      forceKill.removeEventListener("abort", endSoon);
    },
  };
}
