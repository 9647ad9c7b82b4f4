import { ExecutorError } from "./error.js";
import type { SessionDeadlines } from "./session.js";
import { startTimer, type Timer } from "./timer.js";

/** Ends a session when its time is over. */
export interface DeadlineClock {
  /** Counts a step: while one runs, the session is not idle. Call the result when the step is over. */
  enter(): () => void;
  extend(deadlines: SessionDeadlines): void;
  /** Counts the idle time anew. */
  restartIdle(): void;
  stop(): void;
}

/** @throws ExecutorError `invalid-argument`. */
export function checkDeadlines(deadlines: SessionDeadlines): void {
  for (const name of ["idleTimeoutMs", "lifetimeMs"] as const) {
    const value = deadlines[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw new ExecutorError(
      `${name}: ${String(value)} is not a duration; allowed: a whole number of milliseconds, 1 or more; example: 600000`,
      { kind: "invalid-argument" },
    );
  }
}

/**
 * @param onOver called when a time is over. `isStillOver` tells later whether it still is: no step has begun
 * since, and no more time was given.
 */
export function startDeadlines(
  deadlines: SessionDeadlines,
  onOver: (reason: "idle" | "lifetime", isStillOver: () => boolean) => void,
): DeadlineClock {
  let { idleTimeoutMs, lifetimeMs } = deadlines;
  let steps = 0;
  let isStopped = false;
  const timers: Record<"idle" | "lifetime", Timer | undefined> = { idle: undefined, lifetime: undefined };

  function restart(reason: "idle" | "lifetime", timeMs: number | undefined): void {
    timers[reason]?.cancel();
    timers[reason] = undefined;
    if (isStopped || timeMs === undefined) return;
    const timer = startTimer(timeMs);
    timers[reason] = timer;
    void timer.fired.then(() => onOver(reason, () => timers[reason] === timer));
  }

  const restartIdle = (): void => restart("idle", steps === 0 ? idleTimeoutMs : undefined);
  restartIdle();
  restart("lifetime", lifetimeMs);
  return {
    restartIdle,
    enter() {
      steps++;
      restartIdle();
      return () => {
        steps--;
        restartIdle();
      };
    },
    extend(given) {
      if (given.idleTimeoutMs !== undefined) {
        idleTimeoutMs = given.idleTimeoutMs;
        restartIdle();
      }
      if (given.lifetimeMs !== undefined) {
        lifetimeMs = given.lifetimeMs;
        restart("lifetime", lifetimeMs);
      }
    },
    stop() {
      isStopped = true;
      timers.idle?.cancel();
      timers.lifetime?.cancel();
    },
  };
}
