import type { TaskMetrics } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { toCounters } from "./counters.js";

/** Only what is read of the message. */
const metrics = (kind: TaskMetrics["kind"], metrics: object): TaskMetrics =>
  ({ kind, metrics }) as TaskMetrics;

test("cgroup v1 counts nanoseconds, cgroup v2 microseconds", () => {
  const v1 = metrics("cgroup1", {
    cpu: { usage: { total: 1_500_000n } },
    memory: { usage: { max: 4096n } },
    memoryOomControl: { oomKill: 2n },
  });
  expect(toCounters(v1)).toEqual({ oomKills: 2, usage: { cpuTimeMs: 1.5, peakMemoryBytes: 4096 } });
  const v2 = metrics("cgroup2", {
    cpu: { usageUsec: 1_500n },
    memory: { maxUsage: 4096n },
    memoryEvents: { oomKill: 2n },
  });
  expect(toCounters(v2)).toEqual({ oomKills: 2, usage: { cpuTimeMs: 1.5, peakMemoryBytes: 4096 } });
});

test("what is not counted is not known", () => {
  const usage = { cpuTimeMs: null, peakMemoryBytes: null };
  expect(toCounters(metrics("cgroup2", { memory: { maxUsage: 0n } }))).toEqual({ oomKills: 0, usage });
  expect(toCounters(undefined)).toEqual({ oomKills: 0, usage });
});
