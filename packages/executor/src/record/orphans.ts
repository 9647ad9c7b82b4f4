import type { Client } from "@wfe-containerd/client";
import { reap } from "./reap.js";

/** What `removeOrphans` did. */
export interface OrphanReport {
  /** The ids of the removed steps and leases. */
  readonly removed: readonly string[];
  /** What could not be removed, and why. A later call tries again. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

/** Like {@link reap}, with a shorter report: one id for each step, and one for each lease of other work. */
export async function removeOrphans(client: Client): Promise<OrphanReport> {
  const { removed, failed } = await reap(client);
  const failures = new Map<string, string>();
  for (const { stepId, id, failure } of failed)
    if (!failures.has(stepId ?? id)) failures.set(stepId ?? id, failure);
  const ids = removed
    .filter(({ kind, stepId }) => stepId !== undefined || kind === "lease")
    .map(({ stepId, id }) => stepId ?? id);
  return {
    removed: [...new Set(ids)].filter((id) => !failures.has(id)),
    failed: [...failures].map(([id, reason]) => ({ id, reason })),
  };
}
