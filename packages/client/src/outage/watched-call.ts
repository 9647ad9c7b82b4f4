import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { traceRetry } from "../diagnostics/retry.js";
import { ContainerdError } from "../error.js";
import type { WatchedCall } from "./daemon-outage.js";

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

/** @param what is called, for diagnostics. */
export function createWatch(what: string, signal: AbortSignal | undefined, outage: OutageParts): WatchedCall {
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
      const cut = toConnectError(reason);
      outage.begin(cut, failedAt);
      await traceRetry(
        () => ({ of: "rpc", what, attempt: cuts + 2, delayMs: pauseMs, reason: cut.rawMessage }),
        async () => {
          await outage.untilBack();
          if (pauseMs > 0) await delay(pauseMs, undefined, { signal });
        },
      );
      cuts++;
    },
  };
}

function toConnectError(reason: unknown): ConnectError {
  return ConnectError.from(reason instanceof ContainerdError ? (reason.cause ?? reason) : reason);
}
