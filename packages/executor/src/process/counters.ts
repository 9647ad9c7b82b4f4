import type { Client, TaskMetrics } from "@wfe-containerd/client";
import { type StepUsage, UNKNOWN_USAGE } from "../core/output/usage.js";

/** What the kernel has counted for a container. */
export interface Counters {
  /** Processes that the kernel killed because the memory limit was reached. */
  readonly oomKills: number;
  readonly usage: StepUsage;
}

/** A shim that hangs must not hang the step, either. In milliseconds. */
const ANSWER_MS = 30_000;
const MICROSECONDS = 1e3;
const NANOSECONDS = 1e6;

/**
 * Reads the counters of a container's cgroup. The daemon's OOM event may be lost, and a counter is not. Call
 * it before the task is deleted, because that deletes the cgroup.
 */
export async function readCounters(client: Client, id: string): Promise<Counters> {
  const metrics = await client.tasks.metrics(id, { timeoutMs: ANSWER_MS }).catch(() => undefined);
  return toCounters(metrics);
}

/** A counter that the kernel, or an older containerd, does not have is 0 in the message. */
export function toCounters(metrics: TaskMetrics | undefined): Counters {
  switch (metrics?.kind) {
    case "cgroup1": {
      const { cpu, memory, memoryOomControl } = metrics.metrics;
      return {
        oomKills: Number(memoryOomControl?.oomKill ?? 0n),
        usage: toUsage(cpu?.usage?.total, NANOSECONDS, memory?.usage?.max),
      };
    }
    case "cgroup2": {
      const { cpu, memory, memoryEvents } = metrics.metrics;
      return {
        oomKills: Number(memoryEvents?.oomKill ?? 0n),
        usage: toUsage(cpu?.usageUsec, MICROSECONDS, memory?.maxUsage),
      };
    }
    default:
      return { oomKills: 0, usage: UNKNOWN_USAGE };
  }
}

function toUsage(cpuTime: bigint = 0n, perMs: number, memory: bigint = 0n): StepUsage {
  return {
    cpuTimeMs: cpuTime === 0n ? null : Number(cpuTime) / perMs,
    peakMemoryBytes: memory === 0n ? null : Number(memory),
  };
}
