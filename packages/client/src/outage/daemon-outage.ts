// Apart from `watched-call.ts`: these types are reachable from the public ones, which need no Connect.

/** How a client asks its daemon for a sign of life. */
export interface DaemonQuestion {
  /** The client's address, for diagnostics. */
  readonly address: string;
  /** Whether the daemon answers within this time, in milliseconds. Rejects if the client is closed. */
  ask(timeoutMs: number): Promise<boolean>;
  /** How often to ask while calls wait for an answer, in milliseconds; 0: never. */
  readonly keepAliveMs: number;
}

/** An outage as the calls of one client see it. */
export interface DaemonOutage {
  /**
   * Starts to watch one call, which is made as often as needed.
   *
   * @param what is called, for diagnostics: `tasks.create`.
   */
  watch(what: string, signal?: AbortSignal | undefined): WatchedCall;
}

/** A call that is asked again when the daemon is back. */
export interface WatchedCall {
  /** How often the call was cut off by an outage. */
  readonly cuts: number;
  /**
   * Waits while the daemon is away, and makes an attempt. An attempt that is in flight when the outage takes
   * too long is given up, but not cancelled: cancelling a creation may leave half of it behind.
   *
   * @throws ConnectError Unavailable when the outage takes too long; Canceled when the call was aborted; else
   * the attempt's own error.
   */
  attempt<T>(make: () => Promise<T>): Promise<T>;
  /** Whether an attempt failed just now because the daemon is away, and not by the daemon's answer. */
  isCut(reason: unknown): Promise<boolean>;
  /**
   * Waits after a cut, as {@link isCut} told it, until the daemon is back. Then make the next attempt.
   *
   * @throws as {@link attempt}; the reason itself if attempts are cut off again and again although the daemon
   * answers.
   */
  back(reason: unknown): Promise<void>;
}
