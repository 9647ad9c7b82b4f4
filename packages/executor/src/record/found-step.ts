import type { Client, Container, Lease, Snapshot, TaskStatus } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { isStepId } from "../step-id.js";
import { leaseFilters, type RecordedStep, toRecorded } from "./recorded-step.js";

/** What there is of a step on a daemon. */
export interface FoundStep {
  readonly id: string;
  /** Those of its container, else of its lease, else of its snapshot, else none. */
  readonly labels: Readonly<Record<string, string>>;
  /** Empty without a container. */
  readonly image: string;
  /** Undefined if only its task is left. */
  readonly createdAt: Date | undefined;
  /** Undefined without a task. */
  readonly status: TaskStatus["status"] | undefined;
  /** Undefined: it has not ended, or nobody knows. */
  readonly exitCode: number | undefined;
  /** Whether its container's record is there. */
  readonly hasContainer: boolean;
  readonly hasLease: boolean;
  /** What its container and its leases say of it. */
  readonly recorded: RecordedStep;
  readonly snapshot: { readonly key: string; readonly snapshotter: string } | undefined;
}

interface Records {
  readonly tasks: readonly TaskStatus[];
  readonly containers: readonly Container[];
  readonly snapshots: readonly Snapshot[];
  readonly leases: readonly Lease[];
}

/**
 * Finds the steps of the client's namespace: by the labels of containers, snapshots and leases, and by the
 * ids of tasks.
 */
export async function findSteps(client: Client): Promise<FoundStep[]> {
  const owned = [`labels."${LABELS.owner}"`];
  // In the order in which a step is released. So what is released meanwhile is not taken for a task that has
  // lost its container.
  const tasks = await client.tasks.list();
  const containers = await client.containers.list(owned);
  const snapshots: Snapshot[] = [];
  for await (const snapshot of client.snapshots.list(owned)) snapshots.push(snapshot);
  return combine(client, { tasks, containers, snapshots, leases: await client.leases.list(owned) });
}

function exitCodeOf(
  task: TaskStatus | undefined,
  { found }: Pick<RecordedStep, "found">,
): number | undefined {
  if (task?.status === "stopped") return task.exitCode;
  return found.kind === "record" ? (found.record.exit?.exitCode ?? undefined) : undefined;
}

/** Finds one step. Undefined if nothing with this id belongs to a step. */
export async function findStep(client: Client, id: string): Promise<FoundStep | undefined> {
  const container = await ignoreNotFound(client.containers.get(id));
  if (container !== undefined && !isOwned(container)) return undefined;
  const snapshot = isStepId(id) ? await ignoreNotFound(client.snapshots.stat(id)) : undefined;
  const leases = isStepId(id) ? await client.leases.list(leaseFilters(id)) : [];
  // The daemon tells nothing about a task whose container has no record, but lists it. It is asked last: if
  // only a task is left by then, the step is not just being released.
  const task =
    container === undefined
      ? (await client.tasks.list()).find((listed) => listed.id === id)
      : await ignoreNotFound(client.tasks.get(id));
  const records = {
    tasks: list(task),
    containers: list(container),
    snapshots: list(snapshot).filter(isOwned),
    leases: leases.filter(isOwned),
  };
  return combine(client, records)[0];
}

function list<T>(found: T | undefined): T[] {
  return found === undefined ? [] : [found];
}

function isOwned({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean {
  return labels[LABELS.owner] !== undefined;
}

function combine(client: Client, { tasks, containers, snapshots, leases }: Records): FoundStep[] {
  const tasksById = new Map(tasks.map((task) => [task.id, task]));
  const containersById = new Map(containers.map((container) => [container.id, container]));
  const snapshotsById = new Map(snapshots.map((snapshot) => [snapshot.name, snapshot]));
  const leasesById = new Map<string, Lease[]>();
  for (const lease of leases) {
    const id = lease.labels[LABELS.claim] ?? lease.id;
    leasesById.set(id, [...(leasesById.get(id) ?? []), lease]);
  }
  // A claim alone is no step: its process has died when everything else was removed.
  const ids = new Set([
    ...containersById.keys(),
    ...[...leases.map(({ id }) => id), ...snapshotsById.keys(), ...tasksById.keys()].filter(isStepId),
  ]);
  return [...ids].map((id) => {
    const container = containersById.get(id);
    const recorded = toRecorded(id, container, leasesById.get(id) ?? []);
    const [lease, snapshot] = [recorded.lease, snapshotsById.get(id)];
    const key = container?.snapshotKey || snapshot?.name || undefined;
    return {
      id,
      labels: { ...(container ?? lease ?? snapshot)?.labels },
      image: container?.image ?? "",
      createdAt: (container ?? lease ?? snapshot)?.createdAt,
      status: tasksById.get(id)?.status,
      exitCode: exitCodeOf(tasksById.get(id), recorded),
      hasContainer: container !== undefined,
      hasLease: lease !== undefined,
      recorded,
      snapshot:
        key === undefined ? undefined : { key, snapshotter: container?.snapshotter || client.snapshotter },
    };
  });
}
