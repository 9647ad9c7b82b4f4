/** The caller's ways to end a step. */
export interface StopSignals {
  /** Aborted to end the step: stop signal, grace period, SIGKILL. */
  readonly stop: AbortSignal;
  /** Aborted, after `stop`, by a caller who does not wait for the grace period. */
  readonly forceKill: AbortSignal;
}
