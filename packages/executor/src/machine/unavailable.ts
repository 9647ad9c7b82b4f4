import { setTimeout as delay } from "node:timers/promises";
import { isContainerdError } from "@wfe-containerd/client";

const RETRY_MS = 200;

/**
 * Whether a call failed because the daemon cannot be reached or does not answer. That says nothing about the
 * thing that was asked for.
 */
export function isUnavailable(reason: unknown): boolean {
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "deadline-exceeded");
}

/**
 * Repeats a call until the daemon answers.
 *
 * @param giveUpAt when to stop, in milliseconds by `performance.now()`; then the last failure is thrown.
 */
export async function retryWhileUnavailable<T>(ask: () => Promise<T>, giveUpAt: number): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (reason) {
      if (!isUnavailable(reason) || performance.now() > giveUpAt) throw reason;
      await delay(RETRY_MS);
    }
  }
}
