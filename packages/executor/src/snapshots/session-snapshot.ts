import type { Client, Snapshot } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { checkSnapshotName, SNAPSHOT_LABELS } from "../core/plan/session-snapshot.js";
import { GC_ROOT_LABEL } from "../core/step/volume.js";
import { ExecutorError } from "../error.js";

/** The file system of a session, kept under a name. */
export interface SessionSnapshot {
  readonly name: string;
  /** Name of the image that the session was made of. */
  readonly image: string;
  readonly createdAt: Date;
  /** What it has on the disk besides the image, or the snapshot that its session was started from. */
  readonly sizeBytes: number;
}

/**
 * Finds the snapshot that has a name. While one takes the place of another, both have it: the newest comes
 * first.
 */
export async function snapshotsNamed(client: Client, name: string): Promise<Snapshot[]> {
  const found: Snapshot[] = [];
  for await (const snapshot of client.snapshots.list([`labels."${SNAPSHOT_LABELS.name}"=="${name}"`]))
    found.push(snapshot);
  return found.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

/** Lists the snapshots of sessions in the client's namespace, by name. */
export async function listSnapshots(client: Client): Promise<SessionSnapshot[]> {
  const listed = new Map<string, SessionSnapshot>();
  for await (const snapshot of client.snapshots.list([`labels."${SNAPSHOT_LABELS.name}"`])) {
    const shown = await describeSnapshot(client, snapshot);
    const other = listed.get(shown.name);
    if (other === undefined || other.createdAt < shown.createdAt) listed.set(shown.name, shown);
  }
  return [...listed.values()].toSorted((a, b) => a.name.localeCompare(b.name));
}

export async function describeSnapshot(
  client: Client,
  { name: key, labels, createdAt }: Snapshot,
): Promise<SessionSnapshot> {
  const usage = await ignoreNotFound(client.snapshots.usage(key));
  return {
    name: labels[SNAPSHOT_LABELS.name] ?? "",
    image: labels[SNAPSHOT_LABELS.image] ?? "",
    createdAt,
    sizeBytes: usage?.sizeBytes ?? 0,
  };
}

/**
 * Removes a snapshot. Sessions that were started from it, and snapshots of those, keep what they need of it.
 *
 * @throws ExecutorError `invalid-argument` if no snapshot has that name.
 */
export async function removeSnapshot(client: Client, name: string): Promise<void> {
  checkSnapshotName("name", name);
  const found = await snapshotsNamed(client, name);
  if (found.length === 0) throw missingSnapshot(client, name);
  await dropSnapshots(client, found);
}

/** Takes the name from snapshots. The daemon removes them as soon as nothing stands on them. */
export async function dropSnapshots(client: Client, found: readonly Snapshot[]): Promise<void> {
  for (const { name: key } of found)
    await ignoreNotFound(
      client.snapshots.setLabels(key, { [SNAPSHOT_LABELS.name]: "", [GC_ROOT_LABEL]: "" }),
    );
  await client.leases.collectGarbage();
}

export function missingSnapshot(client: Client, name: string): ExecutorError {
  return new ExecutorError(
    `snapshot ${name} does not exist in the namespace ${client.namespace}; check its name (executor.snapshots() lists all)`,
    { kind: "invalid-argument" },
  );
}
