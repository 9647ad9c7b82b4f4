import { ContainerdError } from "./error.js";

/** What every call takes. */
export interface CallOptions {
  /** Aborting it cancels the call, here and at the daemon; it then rejects with kind `canceled`. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline in milliseconds, instead of the client's own; 0 for none. Past it the call rejects with kind `deadline-exceeded`. */
  readonly timeoutMs?: number | undefined;
}

/** Runs an RPC; what it throws becomes a {@link ContainerdError} that names what was asked. */
export async function callService<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (reason) {
    throw ContainerdError.from(reason, operation);
  }
}

/**
 * Reads a streaming RPC; what it throws becomes a {@link ContainerdError} that names what was asked.
 *
 * Connect's own iterables do not hear of a reader who stops early, and their call would go on: here it ends.
 *
 * @param open starts the call with the signal that it is given.
 */
export async function* callStream<T>(
  operation: string,
  signal: AbortSignal | undefined,
  open: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const end = new AbortController();
  const abort = (): void => end.abort(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    yield* open(end.signal);
  } catch (reason) {
    throw ContainerdError.from(reason, operation);
  } finally {
    signal?.removeEventListener("abort", abort);
    end.abort();
  }
}
