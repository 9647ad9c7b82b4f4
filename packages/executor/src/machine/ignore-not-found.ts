import { isContainerdError } from "@wfe-containerd/client";

/** Ignores a not-found error: the thing to remove is already gone. */
export async function ignoreNotFound(undo: Promise<unknown>): Promise<void> {
  await undo.catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
  });
}
