import { type Client, isContainerdError, type Snapshot } from "@wfe-containerd/client";
import { VOLUME_LABELS, VOLUMES_LABEL, type VolumeKind } from "../core/step/volume.js";

/** A directory on the daemon's machine in which steps keep files. */
export interface ListedVolume {
  readonly name: string;
  readonly kind: VolumeKind;
  readonly createdAt: Date;
  /** When a step last began to use it. */
  readonly usedAt: Date;
  /** Undefined if it could not be counted, because its files came and went meanwhile. */
  readonly sizeBytes: number | undefined;
  /** Ids of the steps that use it now. */
  readonly usedBy: readonly string[];
}

/** The volumes and caches in the client's namespace. */
export async function listVolumes(client: Client): Promise<ListedVolume[]> {
  const users = await findUsers(client);
  const volumes: ListedVolume[] = [];
  for await (const snapshot of client.snapshots.list([`labels."${VOLUME_LABELS.name}"`])) {
    volumes.push(toVolume(snapshot, await measure(client, snapshot.name), users));
  }
  return volumes.toSorted((a, b) => a.name.localeCompare(b.name));
}

/** How often a volume is measured, if its files go away while the daemon counts them. */
const MEASUREMENTS = 3;

async function measure(client: Client, key: string, left = MEASUREMENTS): Promise<number | undefined> {
  try {
    return (await client.snapshots.usage(key)).sizeBytes;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return 0;
    // The daemon goes from file to file, and fails at one that is no longer there. There is no code for it.
    if (!isContainerdError(reason, "unknown") || !/: no such file or directory/.test(reason.message))
      throw reason;
    return left === 1 ? undefined : measure(client, key, left - 1);
  }
}

function toVolume(
  { labels, createdAt }: Snapshot,
  sizeBytes: number | undefined,
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
