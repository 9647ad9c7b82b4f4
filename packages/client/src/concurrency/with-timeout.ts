import { ContainerdError } from "../error.js";
import { canceled } from "./canceled.js";

export interface TimeoutOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** What we wait for, for the errors. */
  readonly what: string;
}

/**
 * Waits for a promise that cannot be cancelled, until the signal is aborted or the time is over. The work
 * behind the promise continues.
 *
 * @throws ContainerdError `canceled` or `deadline-exceeded`; else the error of the promise.
 */
export async function withTimeout<T>(
  waited: Promise<T>,
  { signal, timeoutMs, what }: TimeoutOptions,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const limit = new Promise<never>((_, reject) => {
    stop = () => reject(canceled(what, signal?.reason));
    if (signal?.aborted === true) return stop();
    signal?.addEventListener("abort", stop, { once: true });
    const late = `${what}: no answer within ${timeoutMs} ms`;
    timer = setTimeout(() => reject(new ContainerdError(late, { kind: "deadline-exceeded" })), timeoutMs);
  });
  // A rejection after the time limit must not be reported as unhandled.
  waited.catch(() => undefined);
  try {
    return await Promise.race([waited, limit]);
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal?.removeEventListener("abort", stop);
  }
}
