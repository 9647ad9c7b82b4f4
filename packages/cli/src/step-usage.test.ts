import type { TaskMetrics } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { toSample, toUsageRow } from "./step-usage.js";

const CGROUP1 = {
  kind: "cgroup1",
  metrics: {
    cpu: { usage: { total: 2_000_000_000n } },
    memory: { usage: { usage: 3000n, limit: 8192n }, totalInactiveFile: 1000n },
    blkio: {
      ioServiceBytesRecursive: [
        { op: "Read", value: 5n },
        { op: "Read", value: 6n },
        { op: "Write", value: 7n },
        { op: "Total", value: 18n },
      ],
    },
    pids: { current: 3n },
  },
} as unknown as TaskMetrics;

const CGROUP2 = {
  kind: "cgroup2",
  metrics: {
    cpu: { usageUsec: 2_000_000n },
    memory: { usage: 3000n, usageLimit: 8192n, inactiveFile: 1000n },
    io: {
      usage: [
        { rbytes: 5n, wbytes: 3n },
        { rbytes: 6n, wbytes: 4n },
      ],
    },
    pids: { current: 3n },
  },
} as unknown as TaskMetrics;

test.each([
  ["version 1", CGROUP1],
  ["version 2", CGROUP2],
])("the counters of cgroup %s", (_, metrics) => {
  expect(toSample(metrics)).toEqual({
    cpuTimeNs: 2e9,
    memoryBytes: 2000,
    memoryLimitBytes: 8192,
    readBytes: 11,
    writtenBytes: 7,
    processes: 3,
  });
});

test.each([9223372036854771712n, 18446744073709551615n, 0n])("a limit of %d is none", (limit) => {
  const sample = toSample({ kind: "cgroup1", metrics: { memory: { usage: { usage: 1n, limit } } } } as never);
  expect(sample.memoryLimitBytes).toBeUndefined();
});

test("a controller that is missing counts nothing", () => {
  for (const kind of ["cgroup1", "cgroup2"])
    expect(toSample({ kind, metrics: {} } as never)).toMatchObject({
      cpuTimeNs: 0,
      memoryBytes: 0,
      processes: 0,
    });
});

test("the CPU's share is that of the time between the samples", () => {
  const before = toSample(CGROUP2);
  const after = { ...before, cpuTimeNs: before.cpuTimeNs + 500e6 };
  const step = { id: "wfe-1", name: "build" };
  expect(toUsageRow(step, before, after, 1000)).toMatchObject({
    id: "wfe-1",
    step: "build",
    cpuPercent: 50,
    memoryPercent: 24.41,
  });
  expect(toUsageRow(step, after, { ...before, memoryLimitBytes: undefined }, 0)).toMatchObject({
    cpuPercent: 0,
    memoryLimitBytes: null,
    memoryPercent: null,
  });
});
