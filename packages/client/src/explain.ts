import { ConnectError } from "@connectrpc/connect";
import { ContainerdError } from "./error.js";

/**
 * Gives a failure a better message. Only the message changes: code, kind, metadata and details stay.
 *
 * @param describe finds out why the call failed, if need be by looking. It may fail itself, and it may find nothing: the failure then stays
 *   as it is.
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
