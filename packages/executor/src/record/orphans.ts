import type { Client } from "@wfe-containerd/client";
import { isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { removeOrphanedDirectories } from "../machine/private-directory.js";
import { isStepId } from "../step-id.js";
import { abandonedSteps } from "./abandoned.js";
import { type FoundStep, findSteps, removeFound } from "./found-step.js";

/** What `removeOrphans` did. */
export interface OrphanReport {
  /** The ids of the removed steps and leases. */
  readonly removed: readonly string[];
  /** What could not be removed, and why. A later call tries again. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * How many orphans are removed at a time. One that cannot be ended takes seconds, and must not delay others.
 */
const AT_A_TIME = 8;

/**
 * Removes what dead executors of this machine left behind. Keeps steps whose executor lives. Also keeps steps
 * whose executor cannot be seen from here, even if it is dead: it ran on another machine, or in another PID
 * namespace (another container). A step that cannot be removed does not keep others from being removed.
 */
export async function removeOrphans(client: Client): Promise<OrphanReport> {
  const removed: string[] = [];
  const failed: { id: string; reason: string }[] = [];
  const steps = [...(await findSteps(client))];
  const removeSteps = async (): Promise<void> => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        if (!(await isOrphan(client, step))) continue;
        await removeFound(client, step);
        abandonedSteps.delete(step.id);
        removed.push(step.id);
      } catch (reason) {
        failed.push({ id: step.id, reason: reason instanceof Error ? reason.message : String(reason) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, removeSteps));
  removed.push(...(await removeWorkLeases(client)));
  await removeOrphanedDirectories();
  return { removed, failed };
}

async function isOrphan(client: Client, { id, labels, hasContainer }: FoundStep): Promise<boolean> {
  if (abandonedSteps.has(id)) return true;
  const owner = labels[LABELS.owner];
  if (owner !== undefined) return (await isOwnerGone(owner)) === true;
  // Only the task is left, and nobody knows whose it was. An executor that lives removes a task before its
  // container and its lease. It may have done so since the tasks were listed.
  if (hasContainer) return false;
  return client.tasks.list().then((tasks) => tasks.some((task) => task.id === id));
}

/** Removes the leases of dead processes that pulled, imported or unpacked images. */
async function removeWorkLeases(client: Client): Promise<string[]> {
  const removed: string[] = [];
  for (const lease of await client.leases.list([`labels."${LABELS.owner}"`])) {
    if (isStepId(lease.id) || (await isOwnerGone(lease.labels[LABELS.owner] ?? "")) !== true) continue;
    await lease.delete({ sync: true });
    removed.push(lease.id);
  }
  return removed;
}
