import { chmod, readdir, rm, rmdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client, Mount } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import type { StepPlan } from "../core/plan/plan.js";
import { RECORD_EXTENSION, toRecordValue } from "../core/recovery/step-record.js";
import type { Spec } from "../core/spec/spec.js";
import type { StepIo } from "../io/io.js";
import { ioError } from "../io-error.js";
import { markOutput } from "../machine/output-mark.js";
import { fillLayer } from "./fill-layer.js";
import type { Release } from "./release.js";

/** Everything that must exist before a task can be created. */
export interface Acquired {
  readonly rootfs: Mount[];
  readonly io: StepIo;
  readonly daemonTime: DaemonTime;
}

/** A time that the daemon has told. */
export interface DaemonTime {
  /** By its clock, in milliseconds since 1970. */
  readonly daemonMs: number;
  /** When it was told, by `performance.now()`. */
  readonly toldAt: number;
}

/**
 * `leased` creates under the step's lease. `client` undoes without it, because a long step outlives its
 * lease.
 */
export interface StepClients {
  readonly client: Client;
  readonly leased: Client;
}

/**
 * Acquires a step's snapshot, container record and output files, and registers the undo of each.
 *
 * The caller's signal does not cancel these calls: a cancelled call may or may not have taken effect. They
 * are short, and each has the client's deadline.
 *
 * @param clients `isLocal`: whether the daemon is on this machine.
 * @param prepared the mounts of the step's snapshot, if {@link prepareSnapshot} has made it already.
 */
export async function acquire(
  clients: StepClients & { readonly isLocal: boolean },
  plan: StepPlan,
  prepared: Mount[] | undefined,
  output: OutputDirectory,
  openIo: () => Promise<StepIo>,
  release: Release,
): Promise<Acquired> {
  const { client, leased } = clients;
  const { id, snapshot } = plan;
  const makeSnapshot = (): Promise<Mount[]> => prepareSnapshot(clients, id, snapshot, release);
  const preparing = prepared === undefined ? makeSnapshot() : Promise.resolve(prepared);
  release.add({ kind: "container", id }, () => ignoreNotFound(client.containers.delete(id)));
  const [rootfs, daemonTime, io] = await allOf(
    preparing.then(async (mounts) => {
      await fillLayer(leased, mounts, plan, clients.isLocal);
      return mounts;
    }),
    createContainer(leased, plan, plan.container.spec),
    openIo().then(async (opened) => {
      output.isMade = true;
      release.own(() => opened.close());
      await Promise.all([
        markOutput(output.path, client, plan.container.labels[LABELS.owner] ?? ""),
        ...plan.files.map(writeHostFile),
      ]);
      return opened;
    }),
  );
  return { rootfs, io, daemonTime };
}

/** The directory of a step's output. */
export interface OutputDirectory {
  readonly path: string;
  /** A directory that somebody else made is not ours to remove. */
  isMade: boolean;
}

/** Registers the removal of the directory of a step's output. It stays as long as the step's snapshot. */
export function ownOutput(path: string, release: Release): OutputDirectory {
  const output = { path, isMade: false };
  release.add({ kind: "output", id: path }, async () => {
    if (output.isMade) await removeOutput(path);
  });
  return output;
}

/**
 * Makes a step's snapshot, and registers its undo.
 *
 * @throws ContainerdError `not-found` if its parent is not there.
 */
export async function prepareSnapshot(
  { client, leased }: StepClients,
  id: string,
  { parent, labels }: StepPlan["snapshot"],
  release: Release,
): Promise<Mount[]> {
  if (!release.has("snapshot"))
    release.add({ kind: "snapshot", id }, () => ignoreNotFound(client.snapshots.remove(id)));
  return leased.snapshots.prepare(id, parent, { labels });
}

export async function createContainer(
  client: Client,
  { id, container, record }: StepPlan,
  spec: Spec,
): Promise<DaemonTime> {
  const { image, snapshotter, labels, runtime } = container;
  const extensions = { [RECORD_EXTENSION]: toRecordValue(record) };
  const { createdAt } = await client.containers.create({
    id,
    snapshotKey: id,
    image,
    snapshotter,
    runtime: { name: runtime.type, binary: runtime.binary },
    labels,
    spec,
    extensions,
  });
  return { daemonMs: createdAt.getTime(), toldAt: performance.now() };
}

/** A few files and no directory: so it takes half as many calls as a recursive removal. */
async function removeOutput(directory: string): Promise<void> {
  try {
    const names = await readdir(directory);
    await Promise.all(names.map((name) => unlink(join(directory, name))));
    await rmdir(directory);
  } catch {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Every user in the container reads these files, so their mode is for all. Only we can enter their directory.
 */
async function writeHostFile({ path, contents }: StepPlan["files"][number]): Promise<void> {
  try {
    await writeFile(path, contents, { flag: "wx", mode: 0o644 });
    if ((process.umask() & 0o044) !== 0) await chmod(path, 0o644);
  } catch (cause) {
    throw ioError(`could not write the step's file ${path}`, cause);
  }
}

/**
 * Like Promise.all, but it waits for all promises before it rejects: an undo must not run before the call
 * that it undoes has ended.
 */
export async function allOf<T extends unknown[]>(...promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(promises);
  return Promise.all(promises) as Promise<T>;
}
