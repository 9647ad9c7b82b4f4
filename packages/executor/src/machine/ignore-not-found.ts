import { isContainerdError } from "@wfe-containerd/client";

/** Awaits a call. Undefined if the daemon does not have the thing: it was removed before, or never made. */
export async function ignoreNotFound<T>(call: Promise<T>): Promise<T | undefined> {
  return call.catch((reason: unknown) => {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  });
}
