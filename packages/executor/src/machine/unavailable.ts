import { type Client, isContainerdError } from "@wfe-containerd/client";

/**
 * Whether a call failed because the daemon cannot be reached or does not answer. That says nothing about the
 * thing that was asked for.
 */
export function isUnavailable(reason: unknown): boolean {
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "deadline-exceeded");
}

/** A daemon that is not away answers sooner, even on a busy machine. */
const ANSWER_MS = 3_000;

/**
 * Whether a call failed because the daemon is away, and still is: it is asked for its version. A shim or a
 * runtime that does not answer makes a call late, too.
 *
 * @param client its calls fail at once while the daemon is away.
 */
export async function isDaemonAway(client: Client, reason: unknown): Promise<boolean> {
  if (!isUnavailable(reason) && !isContainerdError(reason, "canceled")) return false;
  return client.version({ timeoutMs: ANSWER_MS }).then(
    () => false,
    () => true,
  );
}
