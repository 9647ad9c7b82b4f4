import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { ContainerdError } from "../error.js";

/** How a client asks its daemon for a sign of life. */
export interface DaemonQuestion {
  /** Whether the daemon answers within this time, in milliseconds. Rejects if the client is closed. */
  ask(timeoutMs: number): Promise<boolean>;
  /** How often to ask while calls wait for an answer, in milliseconds; 0: never. */
  readonly keepAliveMs: number;
}

/** An outage as the calls of one client see it. */
export interface DaemonOutage {
  /** Starts to watch one call, which is made as often as needed. */
  watch(signal?: AbortSignal | undefined): WatchedCall;
}

/** A call that is asked again when the daemon is back. */
export interface WatchedCall {
  /** How often the call was cut off by an outage. */
  readonly cuts: number;
  /**
   * Waits while the daemon is away, and makes an attempt. An attempt that is in flight when the outage
   * takes too
   * long is given up, but not cancelled: cancelling a creation may leave half of it behind.
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

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/**
 * How long the pauses between attempts of one call may be together, if the daemon answers in between. An
 * attempt that lasted for {@link STEADY_MS} starts the count again.
 */
const LONGEST_PAUSES_MS = 60_000;
const STEADY_MS = 10_000;

interface OutageParts {
  begin(reason: ConnectError, since: number): void;
  untilBack(): Promise<void>;
  attempt<T>(make: () => Promise<T>): Promise<T>;
  isCut(reason: unknown, startedAt: number): Promise<boolean>;
}

export function createWatch(signal: AbortSignal | undefined, outage: OutageParts): WatchedCall {
  let cuts = 0;
  let startedAt = performance.now();
  let failedAt = startedAt;
  let pausesMs = 0;
  return {
    get cuts() {
      return cuts;
    },
    async attempt(make) {
      await outage.untilBack();
      startedAt = performance.now();
      return outage.attempt(make);
    },
    async isCut(reason) {
      failedAt = performance.now();
      return signal?.aborted !== true && (await outage.isCut(reason, startedAt));
    },
    async back(reason) {
      if (failedAt - startedAt > STEADY_MS) pausesMs = 0;
      const pauseMs = cuts === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** cuts, LONGEST_PAUSE_MS);
      pausesMs += pauseMs;
      if (pausesMs > LONGEST_PAUSES_MS) throw reason;
      outage.begin(toConnectError(reason), failedAt);
      await outage.untilBack();
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal });
      cuts++;
    },
  };
}

function toConnectError(reason: unknown): ConnectError {
  return ConnectError.from(reason instanceof ContainerdError ? (reason.cause ?? reason) : reason);
}
