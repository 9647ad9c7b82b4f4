import type { CallOptions } from "../call.js";
import { ContainerdError } from "../error.js";

/**
 * Runs something of many steps under one signal: the caller's, and that of a time limit of the whole.
 *
 * @param operation what it is, for the errors: `pull docker.io/library/alpine:latest`.
 * @param timeoutMs 0, the default, for no limit.
 * @throws ContainerdError `canceled` and `deadline-exceeded`, whatever the step that was under way made of it.
 */
export async function withTimeLimit<T>(
  operation: string,
  { signal, timeoutMs = 0 }: CallOptions,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined;
  const either = AbortSignal.any([signal, limit].filter((each) => each !== undefined));
  try {
    return await task(either);
  } catch (cause) {
    if (!either.aborted) throw ContainerdError.from(cause, operation);
    const [message, kind] =
      signal?.aborted === true
        ? (["aborted by the caller", "canceled"] as const)
        : ([`not done within ${timeoutMs} ms`, "deadline-exceeded"] as const);
    throw new ContainerdError(message, { kind, operation, cause });
  }
}
