import { ConnectError } from "@connectrpc/connect";
import { ContainerdError } from "./error.js";

/**
 * Gives an error a better message. Code, kind, metadata and details stay the same.
 *
 * @param describe finds out why the call failed; it may do its own requests. If it fails or finds nothing,
 * the error is returned unchanged.
 */
export async function explain<E extends ConnectError | ContainerdError>(
  failure: E,
  describe: () => string | undefined | Promise<string | undefined>,
): Promise<E> {
  const message = await tryTo(describe);
  return message === undefined ? failure : (reword(failure, message) as E);
}

async function tryTo<T>(find: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch {
    return undefined;
  }
}

function reword(failure: ConnectError | ContainerdError, message: string): ConnectError | ContainerdError {
  if (failure instanceof ContainerdError) {
    const { kind, operation, cause } = failure;
    return new ContainerdError(message, { kind, operation, cause: cause ?? failure });
  }
  const reworded = new ConnectError(message, failure.code, failure.metadata, undefined, failure);
  reworded.details = failure.details;
  return reworded;
}
