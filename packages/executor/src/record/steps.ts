import { rm } from "node:fs/promises";
import { type Client, type Container, isContainerdError } from "@wfe-containerd/client";
import { isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { ExecutorError } from "../error.js";
import { ignoreNotFound } from "../machine/ignore-not-found.js";
import { deleteTask } from "../process/delete-task.js";
import { killTask } from "../process/run-task.js";

/** A step that was found on a daemon. */
export interface ListedStep {
  /** The id of its container. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /**
   * Status of its task: `created`, `running`, `stopped`, `paused`, `pausing` or `unknown`; `none` if it has
   * no task.
   */
  readonly status: string;
  /** The process of its executor: host, boot, PID namespace, process id and start time. */
  readonly owner: string;
  readonly createdAt: Date;
}

/**
 * Lists the steps on a daemon, in the client's namespace: running steps, and steps that a dead executor left
 * behind.
 */
export async function listSteps(client: Client): Promise<ListedStep[]> {
  const [containers, tasks] = await Promise.all([stepContainers(client), client.tasks.list()]);
  const statuses = new Map(tasks.map(({ id, status }) => [id, status]));
  return containers.map(({ id, image, labels, createdAt }) => ({
    id,
    name: labels[LABELS.step] ?? "",
    image,
    status: statuses.get(id) ?? "none",
    owner: labels[LABELS.owner] ?? "",
    createdAt,
  }));
}

/**
 * Kills a step and removes everything that it uses: task, container, snapshot, lease. Removes its output
 * files too, if they are on this machine.
 *
 * @throws ExecutorError `invalid-argument` if no container has that id, or it is not a step's container.
 */
export async function removeStep(client: Client, id: string): Promise<void> {
  const container = await client.containers.get(id).catch((cause: unknown) => {
    if (!isContainerdError(cause, "not-found")) throw cause;
    throw new ExecutorError(`there is no step ${id} in namespace ${client.namespace}`, {
      kind: "invalid-argument",
      cause,
    });
  });
  if (container.labels[LABELS.owner] === undefined) {
    throw new ExecutorError(`container ${id} does not belong to a step: another program made it`, {
      kind: "invalid-argument",
    });
  }
  await removeContainer(client, container);
}

/**
 * Removes what dead executors of this machine left behind. Keeps steps whose executor lives. Also keeps steps
 * whose executor cannot be seen from here, even if it is dead: it ran on another machine, or in another PID
 * namespace (another container).
 *
 * @returns the ids of the removed steps and leases.
 */
export async function removeOrphans(client: Client): Promise<string[]> {
  const removed: string[] = [];
  for (const container of await stepContainers(client)) {
    if ((await isOwnerGone(container.labels[LABELS.owner] ?? "")) !== true) continue;
    await removeContainer(client, container);
    removed.push(container.id);
  }
  // An executor that died while it prepared a step may have left a lease, and a snapshot under it, without a
  // container.
  for (const lease of await client.leases.list([`labels."${LABELS.owner}"`])) {
    if ((await isOwnerGone(lease.labels[LABELS.owner] ?? "")) !== true) continue;
    await lease.delete({ sync: true });
    removed.push(lease.id);
  }
  return removed;
}

async function stepContainers(client: Client): Promise<Container[]> {
  return client.containers.list([`labels."${LABELS.owner}"`]);
}

async function removeContainer(
  client: Client,
  { id, labels, snapshotKey, snapshotter }: Container,
): Promise<void> {
  await killTask(client, id);
  await deleteTask(client, id);
  await ignoreNotFound(client.containers.delete(id));
  if (snapshotKey !== "") await ignoreNotFound(client.snapshots.remove(snapshotKey, { snapshotter }));
  await client.leases.delete(id);
  const directory = labels[LABELS.io];
  // A label alone is not enough to remove a directory: its name must be the step's id.
  if (directory?.endsWith(`/${id}`) === true) await rm(directory, { recursive: true, force: true });
}
