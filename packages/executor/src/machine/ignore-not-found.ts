import { isContainerdError } from "@wfe-containerd/client";

/** An undo that finds nothing to undo has done its work. */
export async function ignoreNotFound(undo: Promise<unknown>): Promise<void> {
  await undo.catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
  });
}
