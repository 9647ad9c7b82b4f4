import { RETRY } from "./channels.js";
import type { RetryDiagnostic } from "./messages.js";

/** Waits before something is tried again. */
export function traceRetry(describe: () => RetryDiagnostic, wait: () => Promise<void>): Promise<void> {
  return RETRY.hasSubscribers ? RETRY.run(describe(), wait) : wait();
}
