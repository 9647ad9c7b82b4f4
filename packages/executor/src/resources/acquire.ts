import { chmod, writeFile } from "node:fs/promises";
import type { Client, Mount } from "@wfe-containerd/client";
import type { StepPlan } from "../core/plan/plan.js";
import type { Spec } from "../core/spec/spec.js";
import type { StepIo } from "../io/io.js";
import { ignoreNotFound } from "../machine/ignore-not-found.js";
import type { Release } from "./release.js";
import { unpackAt } from "./unpack-archive.js";

/** All that a task needs before it can be created. */
export interface Acquired {
  readonly rootfs: Mount[];
  readonly io: StepIo;
}

/**
 * Acquires a step's snapshot, container record and output files, and registers the undo of each.
 *
 * @param leased makes them; they are undone without the lease, which a long step outlives.
 *
 * No caller's signal reaches these calls: one that is cancelled half-way may have taken effect, or not. They are short, and each
 * has the client's deadline.
 */
export async function acquire(
  { client, leased }: { readonly client: Client; readonly leased: Client },
  plan: StepPlan,
  openIo: () => Promise<StepIo>,
  release: Release,
): Promise<Acquired> {
  const { id, snapshot } = plan;
  release.add(`snapshot ${id}`, () => ignoreNotFound(client.snapshots.remove(id)));
  release.add(`container ${id}`, () => ignoreNotFound(client.containers.delete(id)));
  const [rootfs, , io] = await allOf(
    leased.snapshots.prepare(id, snapshot.parent, { labels: snapshot.labels }).then(async (mounts) => {
      await unpackAt(leased, mounts, plan.rootfs);
      return mounts;
    }),
    createContainer(leased, plan, plan.container.spec),
    openIo().then(async (opened) => {
      release.add("the step's output files", () => opened.close());
      await Promise.all(plan.files.map(writeHostFile));
      return opened;
    }),
  );
  return { rootfs, io };
}

export async function createContainer(
  client: Client,
  { id, container }: StepPlan,
  spec: Spec,
): Promise<void> {
  const { image, snapshotter, labels } = container;
  await client.containers.create({ id, snapshotKey: id, image, snapshotter, labels, spec });
}

/** Everybody in the container reads them, so the mode is for all; the directory that they are in is ours alone. */
async function writeHostFile({ path, contents }: StepPlan["files"][number]): Promise<void> {
  await writeFile(path, contents, { flag: "wx" });
  await chmod(path, 0o644);
}

/** As Promise.all, but nothing is still under way when it rejects: an undo must not overtake what it undoes. */
async function allOf<T extends unknown[]>(...promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(promises);
  return Promise.all(promises) as Promise<T>;
}
