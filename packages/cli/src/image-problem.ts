import { ContainerdError, type ErrorKind } from "@wfe-containerd/client";

const KINDS: readonly ErrorKind[] = ["invalid-argument", "out-of-range", "data-loss"];

/** Whether an error is about one image that something is wrong with, and not about the daemon. */
export function isImageProblem(reason: unknown): reason is ContainerdError {
  return reason instanceof ContainerdError && KINDS.includes(reason.kind);
}
