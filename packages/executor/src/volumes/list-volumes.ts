import type { Client, Snapshot } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { VOLUME_LABELS, VOLUMES_LABEL, type VolumeKind } from "../core/step/volume.js";

/** A directory on the daemon's machine in which steps keep files. */
export interface ListedVolume {
  readonly name: string;
  readonly kind: VolumeKind;
  readonly createdAt: Date;
  /** When a step last began to use it. */
  readonly usedAt: Date;
  readonly sizeBytes: number;
  /** Ids of the steps that use it now. */
  readonly usedBy: readonly string[];
}

/** The volumes and caches in the client's namespace. */
export async function listVolumes(client: Client): Promise<ListedVolume[]> {
  const users = await findUsers(client);
  const volumes: ListedVolume[] = [];
  for await (const snapshot of client.snapshots.list([`labels."${VOLUME_LABELS.name}"`])) {
    const usage = await ignoreNotFound(client.snapshots.usage(snapshot.name));
    volumes.push(toVolume(snapshot, usage?.sizeBytes ?? 0, users));
  }
  return volumes.toSorted((a, b) => a.name.localeCompare(b.name));
}

function toVolume(
  { labels, createdAt }: Snapshot,
  sizeBytes: number,
  users: ReadonlyMap<string, readonly string[]>,
): ListedVolume {
  const name = labels[VOLUME_LABELS.name] ?? "";
  const used = labels[VOLUME_LABELS.used];
  return {
    name,
    kind: labels[VOLUME_LABELS.kind] === "cache" ? "cache" : "volume",
    createdAt,
    usedAt: used === undefined ? createdAt : new Date(used),
    sizeBytes,
    usedBy: users.get(name) ?? [],
  };
}

/** The users of each volume by its name: running steps, steps in preparation, and steps of dead executors. */
export async function findUsers(client: Client): Promise<Map<string, string[]>> {
  const filter = [`labels."${VOLUMES_LABEL}"`];
  const [leases, containers] = await Promise.all([
    client.leases.list(filter),
    client.containers.list(filter),
  ]);
  const users = new Map<string, Set<string>>();
  for (const { id, labels } of [...leases, ...containers]) {
    for (const name of (labels[VOLUMES_LABEL] ?? "").split(",")) {
      const ids = users.get(name) ?? new Set();
      users.set(name, ids.add(id));
    }
  }
  return new Map([...users].map(([name, ids]) => [name, [...ids]]));
}
