import { rm } from "node:fs/promises";
import type { Client, TaskStatus } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { deleteTask } from "../process/delete-task.js";
import { killTask } from "../process/run-task.js";
import { isStepId } from "../step-id.js";

/** What there is of a step on a daemon. */
export interface FoundStep {
  readonly id: string;
  /** Those of its container, else of its lease, else none. */
  readonly labels: Readonly<Record<string, string>>;
  /** Empty without a container. */
  readonly image: string;
  /** Undefined if neither its container nor its lease is there. */
  readonly createdAt: Date | undefined;
  /** Undefined without a task. */
  readonly status: TaskStatus["status"] | undefined;
  /** Whether its container's record is there. */
  readonly hasContainer: boolean;
  readonly snapshot: { readonly key: string; readonly snapshotter: string } | undefined;
}

/**
 * Finds the steps of the client's namespace: by the labels of containers and leases, and by the ids of tasks.
 */
export async function findSteps(client: Client): Promise<FoundStep[]> {
  const owned = [`labels."${LABELS.owner}"`];
  // In the order in which a step is released. So what is released meanwhile is not taken for a task that has
  // lost its container.
  const tasks = new Map((await client.tasks.list()).map((task) => [task.id, task.status]));
  const containers = await client.containers.list(owned);
  const leases = (await client.leases.list(owned)).filter(({ id }) => isStepId(id));
  const found = new Map<string, FoundStep>();
  for (const { id, image, labels, createdAt, snapshotKey: key, snapshotter } of containers) {
    const snapshot = key === "" ? undefined : { key, snapshotter };
    found.set(id, { id, labels, image, createdAt, status: tasks.get(id), hasContainer: true, snapshot });
  }
  const without = { image: "", hasContainer: false, snapshot: undefined };
  for (const { id, labels, createdAt } of leases)
    if (!found.has(id)) found.set(id, { ...without, id, labels, createdAt, status: tasks.get(id) });
  for (const [id, status] of tasks)
    if (isStepId(id) && !found.has(id))
      found.set(id, { ...without, id, labels: {}, createdAt: undefined, status });
  return [...found.values()];
}

/**
 * Ends a step and removes everything that it uses, in the order in which a step is released. Stops at the
 * first failure, so that the rest stays visible.
 */
export async function removeFound(client: Client, step: FoundStep): Promise<void> {
  const { id, labels, hasContainer, snapshot, status } = step;
  if (!hasContainer && status !== undefined) await recordAgain(client, step);
  await killTask(client, id);
  await deleteTask(client, id);
  await ignoreNotFound(client.containers.delete(id));
  if (snapshot !== undefined)
    await ignoreNotFound(client.snapshots.remove(snapshot.key, { snapshotter: snapshot.snapshotter }));
  const directory = labels[LABELS.io];
  // A label alone is not enough to remove a directory: its name must be the step's id.
  if (directory?.endsWith(`/${id}`) === true) await rm(directory, { recursive: true, force: true });
  // Without a container, only the lease has protected the snapshot.
  await client.leases.delete(id, { sync: !hasContainer });
}

/** The daemon passes on no call for a task whose container has no record. */
async function recordAgain(client: Client, { id, labels }: FoundStep): Promise<void> {
  const owner = labels[LABELS.owner] ?? (await currentOwner());
  await client.containers.create({ id, spec: {}, labels: { ...labels, [LABELS.owner]: owner } });
}
