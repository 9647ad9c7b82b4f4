import { ContainerdError } from "./error.js";

/** What every call takes. */
export interface CallOptions {
  /** Aborting it cancels the call, here and at the daemon; it then rejects with kind `canceled`. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline in milliseconds, instead of the client's own; 0 for none. Past it the call rejects with kind `deadline-exceeded`. */
  readonly timeoutMs?: number | undefined;
}

/** Runs an RPC; what it throws becomes a {@link ContainerdError} that names what was asked. */
export async function call<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (reason) {
    throw ContainerdError.from(reason, operation);
  }
}
