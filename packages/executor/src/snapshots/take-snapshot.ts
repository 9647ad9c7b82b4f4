import { randomUUID } from "node:crypto";
import type { Client, Mount, Snapshot } from "@wfe-containerd/client";
import { callService, ignoreNotFound } from "@wfe-containerd/client/internal";
import type { ArchiveEntry } from "../core/plan/archive.js";
import { LABELS } from "../core/plan/labels.js";
import { besideContainer, SNAPSHOT_LABELS, whiteouts } from "../core/plan/session-snapshot.js";
import { refuse } from "../core/refuse.js";
import { GC_ROOT_LABEL } from "../core/step/volume.js";
import { ExecutorError } from "../error.js";
import type { Freezer } from "../process/freezer.js";
import { fillBaseLayer } from "../resources/base-layers.js";
import { unpackAt } from "../resources/unpack-archive.js";
import { describeSnapshot, dropSnapshots, type SessionSnapshot, snapshotsNamed } from "./session-snapshot.js";

/** A session, as far as its file system is concerned. */
export interface SnapshotSource {
  readonly client: Client;
  /** Id of the container, and key of its snapshot. */
  readonly id: string;
  /** What it was made of: the name, and the digests of the index or manifest and of the config. */
  readonly image: { readonly name: string; readonly digest: string; readonly config: string };
  /** What was written into its own layer before it began. */
  readonly rootfs: readonly ArchiveEntry[];
  readonly freezer: Freezer;
}

export interface SnapshotRequest {
  readonly name: string;
  /** Whether it may take the place of another one. */
  readonly replace: boolean;
  /** The process that takes it, for `gc`. */
  readonly owner: string;
  readonly signal: AbortSignal;
}

const LAYER = "application/vnd.oci.image.layer.v1.tar";
/** Longer than any snapshot takes. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/**
 * Keeps the file system of a session's container.
 *
 * While its processes are frozen, the daemon packs how its file system differs from that of its parent
 * snapshot. The archive is unpacked on the same parent again. Until the commit, only a lease protects what is
 * made. So a failure leaves nothing.
 *
 * @throws ExecutorError `refused` if the name is taken.
 */
export async function takeSnapshot(
  source: SnapshotSource,
  request: SnapshotRequest,
): Promise<SessionSnapshot> {
  const { client } = source;
  const { name, replace, owner } = request;
  if (!replace && (await snapshotsNamed(client, name)).length > 0) throw nameTaken(name);
  const leaseId = `snapshot-${randomUUID()}`;
  await client.leases.create({ id: leaseId, expireMs: LEASE_MS, labels: { [LABELS.owner]: owner } });
  try {
    await keepConfig(client, leaseId, source.image);
    const key = await makeSnapshot(client.with({ leaseId }), source, request);
    const snapshot = await client.snapshots.stat(key);
    await claimName(client, snapshot, request);
    return await describeSnapshot(client, snapshot);
  } finally {
    // Also deletes the archive: the scripts in it may contain what nobody else shall read.
    await client.leases.delete(leaseId, { sync: true }).catch(() => undefined);
  }
}

/** With the image, its config may be gone, which a session that starts from the snapshot needs. */
async function keepConfig(
  client: Client,
  leaseId: string,
  { name, config }: SnapshotSource["image"],
): Promise<void> {
  await client.leases.addResource(leaseId, { type: "content", id: config });
  if ((await ignoreNotFound(client.content.info(config))) === undefined)
    refuse("snapshot", `the image ${name} is not there any more`, "a snapshot before its removal");
}

/** @returns the key of the committed snapshot. */
async function makeSnapshot(
  leased: Client,
  source: SnapshotSource,
  { name, signal }: SnapshotRequest,
): Promise<string> {
  const { id, image, rootfs } = source;
  const { snapshots, services } = leased;
  const key = `wfe-snapshot-${randomUUID()}`;
  const { parent } = await snapshots.stat(id);
  const changes = await packChanges(leased, source, parent, signal);
  const mounts = await snapshots.prepare(`${key}-new`, parent);
  await callService("unpack what the session has changed", () =>
    services.diff.apply({ diff: changes, mounts: toWire(mounts) }, { signal, timeoutMs: 0 }),
  );
  await unpackAt(leased, mounts, whiteouts(rootfs), { followLinks: true });
  // A session that ran as root may have put links where the runtime mounts.
  const hasNameFiles = await fillBaseLayer(leased, mounts);
  signal.throwIfAborted();
  const labels = {
    [SNAPSHOT_LABELS.name]: name,
    [SNAPSHOT_LABELS.image]: image.name,
    [SNAPSHOT_LABELS.digest]: image.digest,
    [SNAPSHOT_LABELS.config]: image.config,
    [SNAPSHOT_LABELS.nameFiles]: hasNameFiles ? "yes" : "no",
    [GC_ROOT_LABEL]: new Date().toISOString(),
  };
  await snapshots.commit(key, `${key}-new`, { labels });
  return key;
}

/** Packs what a container's processes have changed, while they stand still. */
async function packChanges(
  leased: Client,
  { id, freezer }: SnapshotSource,
  parent: string,
  signal: AbortSignal,
) {
  const { snapshots, services } = leased;
  const left = toWire(await snapshots.view(`parent-${randomUUID()}`, parent));
  const right = toWire(besideContainer(await snapshots.mounts(id)));
  const request = { left, right, mediaType: LAYER, ref: `snapshot-${randomUUID()}` };
  return freezer.frozen(leased, id, async () => {
    const packed = await callService("read what the session has changed", async () => {
      const { diff } = await services.diff.diff(request, { signal, timeoutMs: 0 });
      if (diff === undefined) throw new Error("the daemon has made no archive");
      return { mediaType: LAYER, digest: diff.digest, size: diff.size };
    });
    // When a session ends, its files are removed, also while they are read.
    const { status } = await leased.tasks.get(id);
    if (status !== "paused") throw new Error("the session did not stand still while its files were read");
    return packed;
  });
}

/**
 * Removes the snapshots that had the name before; or gives it back, if another process was faster. Source of
 * the order: containerd dates a snapshot in the transaction that commits it (metadata/snapshot.go).
 */
async function claimName(client: Client, own: Snapshot, { name, replace }: SnapshotRequest): Promise<void> {
  const older = (await snapshotsNamed(client, name)).filter(
    ({ name: key, createdAt }) => key !== own.name && createdAt <= own.createdAt,
  );
  if (older.length === 0) return;
  await dropSnapshots(client, replace ? older : [own]);
  if (!replace) throw nameTaken(name);
}

function nameTaken(name: string): ExecutorError {
  const message = `there is a snapshot ${name} already`;
  const allowed = "another name, or replace: true";
  return new ExecutorError(`name: ${message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field: "name", message, allowed }],
  });
}

function toWire(mounts: readonly Mount[]) {
  return mounts.map((mount) => ({ ...mount, options: [...mount.options] }));
}
