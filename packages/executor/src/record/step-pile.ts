import { lstat, rm } from "node:fs/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import type { TraceFinder } from "../machine/step-traces.js";
import { deleteProcess } from "../process/delete-process.js";
import { killProcess } from "../process/kill-process.js";
import type { FoundStep } from "./found-step.js";
import type { Leftover, Pile } from "./leftover.js";
import { ingestsOf } from "./work-leases.js";

/**
 * Everything that a step has, in the order in which a step is released.
 *
 * @param finder on a daemon of this machine, what the runtime has left is removed, too.
 */
export async function pileOf(
  client: Client,
  step: FoundStep,
  reason: string,
  finder?: TraceFinder,
): Promise<Pile> {
  const { id, labels, status, hasContainer, hasLease, snapshot } = step;
  const pile: { leftover: Leftover; remove: () => Promise<unknown> }[] = [];
  const add = (kind: Leftover["kind"], remove: () => Promise<unknown>, itsId = id): void =>
    void pile.push({ leftover: { kind, id: itsId, stepId: id, reason }, remove });

  const end = async (): Promise<void> => {
    await killProcess(client, { containerId: id });
    await deleteProcess(client, { containerId: id });
    await finder?.removeAll(id);
  };
  const deleteContainer = (): Promise<unknown> => ignoreNotFound(client.containers.delete(id));
  if (status !== undefined)
    add("task", async () => {
      if (!hasContainer) await recordAgain(client, step);
      await end();
      if (!hasContainer) await deleteContainer();
    });
  if (hasContainer)
    add("container", async () => {
      // A task whose creation was interrupted is in no list.
      if (status === undefined) await end();
      await deleteContainer();
    });
  if (snapshot !== undefined)
    add("snapshot", () =>
      ignoreNotFound(client.snapshots.remove(snapshot.key, { snapshotter: snapshot.snapshotter })),
    );
  const directory = labels[LABELS.io];
  // A label alone is not enough to remove a directory: its name must be the step's id.
  if (directory?.endsWith(`/${id}`) === true && (await exists(directory)))
    add("output", () => rm(directory, { recursive: true, force: true }), directory);
  if (!hasLease) return pile;
  const ingests = await ingestsOf(client, id, id);
  add("lease", async () => {
    // An executor that died after it had removed the container may have left a shim that is in no list.
    if (!hasContainer && status === undefined) await finder?.removeAll(id);
    // Without a container, only the lease has protected what was made under it.
    await client.leases.delete(id, { sync: !hasContainer || ingests.length > 0 });
  });
  return [...pile, ...ingests];
}

/** The daemon passes on no call for a task whose container has no record. */
async function recordAgain(client: Client, { id, labels }: FoundStep): Promise<void> {
  const owner = labels[LABELS.owner] ?? (await currentOwner());
  await client.containers
    .create({ id, spec: {}, labels: { ...labels, [LABELS.owner]: owner } })
    .catch((reason: unknown) => {
      // Another process does the same.
      if (!isContainerdError(reason, "already-exists")) throw reason;
    });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
