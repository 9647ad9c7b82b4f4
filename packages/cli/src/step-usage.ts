import type { TaskMetrics } from "@wfe-containerd/client";

/** What a step uses at one moment, as its cgroup counts it. */
export interface UsageSample {
  readonly cpuTimeNs: number;
  /** Without the part of the page cache that can be dropped at once, as docker counts. */
  readonly memoryBytes: number;
  /** Undefined without a limit. */
  readonly memoryLimitBytes: number | undefined;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

/** With cgroup v1, a limit this high means none. Source: PAGE_COUNTER_MAX, mm/memcontrol.c */
const NO_LIMIT = 2 ** 60;

export function toSample(task: TaskMetrics): UsageSample {
  if (task.kind === "cgroup2") {
    const { cpu, memory, io, pids } = task.metrics;
    return {
      cpuTimeNs: Number(cpu?.usageUsec ?? 0n) * 1000,
      memoryBytes: used(memory?.usage, memory?.inactiveFile),
      memoryLimitBytes: limit(memory?.usageLimit),
      readBytes: sum(io?.usage.map(({ rbytes }) => rbytes)),
      writtenBytes: sum(io?.usage.map(({ wbytes }) => wbytes)),
      processes: Number(pids?.current ?? 0n),
    };
  }
  const { cpu, memory, blkio, pids } = task.metrics;
  const bytesOf = (wanted: string): number =>
    sum(
      blkio?.ioServiceBytesRecursive
        .filter(({ op }) => op.toLowerCase() === wanted)
        .map(({ value }) => value),
    );
  return {
    cpuTimeNs: Number(cpu?.usage?.total ?? 0n),
    memoryBytes: used(memory?.usage?.usage, memory?.totalInactiveFile),
    memoryLimitBytes: limit(memory?.usage?.limit),
    readBytes: bytesOf("read"),
    writtenBytes: bytesOf("write"),
    processes: Number(pids?.current ?? 0n),
  };
}

/** What a step uses, as `stats` shows it. */
export interface StepUsageRow extends Omit<UsageSample, "cpuTimeNs" | "memoryLimitBytes"> {
  readonly id: string;
  readonly step: string;
  /** 100 is one CPU. */
  readonly cpuPercent: number;
  /** Null without a limit. */
  readonly memoryLimitBytes: number | null;
  readonly memoryPercent: number | null;
}

/** @param elapsedMs the time between the two samples. */
export function toUsageRow(
  { id, name }: { readonly id: string; readonly name: string },
  before: UsageSample,
  after: UsageSample,
  elapsedMs: number,
): StepUsageRow {
  const { cpuTimeNs, memoryBytes, memoryLimitBytes, ...others } = after;
  const cpuMs = Math.max(cpuTimeNs - before.cpuTimeNs, 0) / 1e6;
  return {
    id,
    step: name,
    cpuPercent: elapsedMs > 0 ? round((100 * cpuMs) / elapsedMs) : 0,
    memoryBytes,
    memoryLimitBytes: memoryLimitBytes ?? null,
    memoryPercent: memoryLimitBytes === undefined ? null : round((100 * memoryBytes) / memoryLimitBytes),
    ...others,
  };
}

function used(usage: bigint = 0n, droppable: bigint = 0n): number {
  return Math.max(Number(usage - droppable), 0);
}

function limit(value: bigint = 0n): number | undefined {
  const bytes = Number(value);
  return bytes === 0 || bytes >= NO_LIMIT ? undefined : bytes;
}

function sum(values: readonly bigint[] = []): number {
  return Number(values.reduce((total, value) => total + value, 0n));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
