import { ContainerdError } from "./error.js";
import type { OptionNames } from "./options.js";

/** Options of every call. */
export interface CallOptions {
  /**
   * Aborting it cancels the call, in this process and in the daemon. The call then rejects with kind
   * `canceled`.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Deadline in milliseconds; 0: no deadline. After it the call rejects with kind `deadline-exceeded`.
   *
   * @default the client's `timeoutMs`
   */
  readonly timeoutMs?: number | undefined;
}

export const CALL_OPTIONS: OptionNames<CallOptions> = { signal: true, timeoutMs: true };

/**
 * Runs an RPC. Turns an error into a {@link ContainerdError} whose message begins with the operation. An
 * error that is already a ContainerdError passes unchanged.
 *
 * @param operation what is asked, in words: `create container web-1`.
 * @throws ContainerdError of the kind that the gRPC status code gives.
 * @example
 * ```
 * const response = await callService("list images", () => client.services.images.list({}));
 * ```
 */
export async function callService<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (reason) {
    throw ContainerdError.from(reason, operation);
  }
}

/**
 * Reads a streaming RPC. Turns errors into a {@link ContainerdError}, as {@link callService} does.
 *
 * When the reader stops early, the call is aborted. Connect's own iterables do not do that, and their call
 * would go on.
 *
 * @param open starts the call with the given signal.
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
