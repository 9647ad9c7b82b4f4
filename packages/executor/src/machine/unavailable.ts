import { setTimeout as delay } from "node:timers/promises";
import { isContainerdError } from "@wfe-containerd/client";

const RETRY_MS = 200;

/** Whether a call failed because the daemon is not there, or does not answer: it says nothing about what was asked. */
export function isUnavailable(reason: unknown): boolean {
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "deadline-exceeded");
}

/**
 * Asks until the daemon answers.
 *
 * @param giveUpAt on the monotonic clock, in milliseconds; afterwards the last failure is thrown.
 */
export async function whenBack<T>(ask: () => Promise<T>, giveUpAt: number): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (reason) {
      if (!isUnavailable(reason) || performance.now() > giveUpAt) throw reason;
      await delay(RETRY_MS);
    }
  }
}
