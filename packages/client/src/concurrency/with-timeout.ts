import { ContainerdError } from "../error.js";

export interface TimeoutOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** What is waited for, for the errors. */
  readonly what: string;
}

/**
 * Waits for something that cannot itself be told to stop: no longer than the signal and the time allow. What it was waiting for goes on.
 *
 * @throws ContainerdError `canceled`, `deadline-exceeded`.
 */
export async function withTimeout<T>(
  waited: Promise<T>,
  { signal, timeoutMs, what }: TimeoutOptions,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const limit = new Promise<never>((_, reject) => {
    stop = () =>
      reject(
        new ContainerdError(`${what}: aborted by the caller`, { kind: "canceled", cause: signal?.reason }),
      );
    if (signal?.aborted === true) return stop();
    signal?.addEventListener("abort", stop, { once: true });
    const late = `${what}: no answer within ${timeoutMs} ms`;
    timer = setTimeout(() => reject(new ContainerdError(late, { kind: "deadline-exceeded" })), timeoutMs);
  });
  // Whichever is second is nobody's business any more.
  waited.catch(() => undefined);
  try {
    return await Promise.race([waited, limit]);
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal?.removeEventListener("abort", stop);
  }
}
