import type { Client } from "@wfe-containerd/client";
import type { StepPlan } from "../core/plan/plan.js";

/**
 * How many processes of the container the kernel killed because the memory limit was reached. Reads the
 * counter of the cgroup, because the daemon's OOM event may be lost. Call it before the task is deleted,
 * because that deletes the cgroup.
 */
export async function countOomKills(client: Client, plan: StepPlan, exitCode: number): Promise<number> {
  if (plan.memoryBytes === undefined && exitCode !== 137) return 0;
  const metrics = await client.tasks.metrics(plan.id).catch(() => undefined);
  switch (metrics?.kind) {
    case "cgroup1":
      return Number(metrics.metrics.memoryOomControl?.oomKill ?? 0n);
    case "cgroup2":
      return Number(metrics.metrics.memoryEvents?.oomKill ?? 0n);
    default:
      return 0;
  }
}
