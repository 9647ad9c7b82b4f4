import { Code, ConnectError } from "@connectrpc/connect";

/** The answer; undefined if the daemon answers "not found". */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((reason: unknown) => {
    if (reason instanceof ConnectError && reason.code === Code.NotFound) return undefined;
    throw reason;
  });
}
