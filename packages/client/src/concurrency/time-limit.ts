import type { CallOptions } from "../call.js";
import { ContainerdError } from "../error.js";

/**
 * Runs an operation of many steps under one signal, which combines the caller's signal and a time limit for
 * the whole.
 *
 * @param operation name of the operation, for errors: `pull docker.io/library/alpine:latest`.
 * @param timeoutMs time limit in milliseconds. The default, 0, means no limit.
 * @throws ContainerdError `canceled` or `deadline-exceeded`, whatever error the interrupted step throws; else
 * the error of the task.
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
