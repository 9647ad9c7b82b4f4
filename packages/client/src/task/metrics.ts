import { fromBinary } from "@bufbuild/protobuf";
import { MetricsSchema as Cgroup1, type Metrics as Cgroup1Metrics } from "@wfe-containerd/proto/cgroups/v1";
import { MetricsSchema as Cgroup2, type Metrics as Cgroup2Metrics } from "@wfe-containerd/proto/cgroups/v2";
import type { Metric } from "@wfe-containerd/proto/types/metrics";
import { ContainerdError } from "../error.js";

/** A task's counters. Their form depends on the cgroup version of the daemon's machine. */
export type TaskMetrics =
  | { readonly kind: "cgroup1"; readonly metrics: Cgroup1Metrics }
  | { readonly kind: "cgroup2"; readonly metrics: Cgroup2Metrics };

export function toTaskMetrics(containerId: string, metric: Metric | undefined): TaskMetrics {
  const { typeUrl, value } = metric?.data ?? { typeUrl: "", value: new Uint8Array() };
  switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
    case Cgroup1.typeName:
      return { kind: "cgroup1", metrics: fromBinary(Cgroup1, value) };
    case Cgroup2.typeName:
      return { kind: "cgroup2", metrics: fromBinary(Cgroup2, value) };
    default:
      throw new ContainerdError(`container ${containerId} has no metrics`, { kind: "not-found" });
  }
}
