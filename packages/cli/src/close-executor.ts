import type { Executor, UnreleasedResource } from "@wfe-containerd/executor";
import { printableLine } from "./printable.js";

/** The steps have ended by then. What could not be removed is tried again for two seconds. */
const GRACE_MS = 2_000;

/** At its disposal, closes the executor, and tells on standard error what could not be removed. */
export function closeAtEnd(executor: Executor): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const { unreleased } = await executor.close({ graceMs: GRACE_MS });
      const [first] = unreleased;
      if (first === undefined) return;
      console.error(
        `wfe-containerd: not removed yet: ${listOf(unreleased)}; \`wfe-containerd gc\` removes it later (${printableLine(first.reason)})`,
      );
    },
  };
}

/** `task wfe-1, container wfe-1, output /tmp/x/wfe-1`. */
function listOf(resources: readonly UnreleasedResource[]): string {
  return resources.map(({ kind, id }) => `${kind} ${printableLine(id)}`).join(", ");
}
