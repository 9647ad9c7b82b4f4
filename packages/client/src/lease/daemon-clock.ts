/** The clock of the daemon's machine, as far as the daemon's answers have told it. */
export interface DaemonClock {
  /** The time now, in milliseconds since 1970. */
  nowMs(): number;
  /**
   * Compares with a time that the daemon has just told.
   *
   * @param toldMs when the daemon made its answer, by its own clock.
   * @param askedAt when it was asked, in milliseconds by `performance.now()`.
   * @returns whether {@link nowMs} was right. From now on it is.
   */
  learn(toldMs: number, askedAt: number): boolean;
}

/** What clocks that are set by NTP may differ by, in milliseconds. */
const TOLERANCE_MS = 1_000;

/** Creates a clock that is this machine's, until the daemon tells another time. */
export function createDaemonClock(): DaemonClock {
  let aheadMs = 0;
  const nowMs = (): number => Date.now() + aheadMs;
  return {
    nowMs,
    learn(toldMs, askedAt) {
      const now = nowMs();
      const earliest = now - (performance.now() - askedAt) - TOLERANCE_MS;
      if (toldMs >= earliest && toldMs <= now + TOLERANCE_MS) return true;
      aheadMs += toldMs - now;
      return false;
    },
  };
}
