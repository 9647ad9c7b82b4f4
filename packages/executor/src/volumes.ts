import { type Client, isContainerdError, type Snapshot } from "@wfe-containerd/client";
import {
  GC_ROOT_LABEL,
  VOLUME_LABELS,
  VOLUMES_LABEL,
  type VolumeKind,
  volumeKey,
} from "./core/step/volume.js";
import { ExecutorError } from "./error.js";

/** A directory that steps keep things in, on the daemon's machine. */
export interface ListedVolume {
  readonly name: string;
  readonly kind: VolumeKind;
  readonly createdAt: Date;
  /** When a step began to use it, last. */
  readonly usedAt: Date;
  readonly sizeBytes: number;
  /** Ids of the steps that use it now. */
  readonly usedBy: readonly string[];
}

export interface PruneVolumesOptions {
  /** Default: caches alone. */
  readonly kinds?: readonly VolumeKind[] | undefined;
  /** Only those that no step began to use for so long. Default 0: any that none uses now. */
  readonly unusedForMs?: number | undefined;
  /** Only as many as it takes until all of these kinds have no more than so many bytes together; longest unused first. */
  readonly maxBytes?: number | undefined;
  /** Say what would be removed, and remove nothing. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** The volumes and caches in the client's namespace. */
export async function listVolumes(client: Client): Promise<ListedVolume[]> {
  const users = await findUsers(client);
  const volumes: ListedVolume[] = [];
  for await (const snapshot of client.snapshots.list([`labels."${VOLUME_LABELS.name}"`])) {
    const { sizeBytes } = await client.snapshots.usage(snapshot.name).catch((reason: unknown) => {
      if (isContainerdError(reason, "not-found")) return { sizeBytes: 0 };
      throw reason;
    });
    volumes.push(toVolume(snapshot, sizeBytes, users));
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

/**
 * Removes a volume or cache, and all that is in it.
 *
 * @throws ExecutorError `invalid-argument` when there is none of that name, or a step uses it.
 */
export async function removeVolume(client: Client, name: string): Promise<void> {
  const users = await removeUnused(client, name);
  if (users.length === 0) return;
  throw new ExecutorError(`volume ${name} is used by ${users.join(", ")}; allowed: one that no step uses`, {
    kind: "invalid-argument",
  });
}

/**
 * Removes volumes that no step uses: caches, unless others are asked for.
 *
 * @returns what was removed.
 */
export async function pruneVolumes(
  client: Client,
  { kinds = ["cache"], unusedForMs = 0, maxBytes, dryRun = false }: PruneVolumesOptions = {},
): Promise<ListedVolume[]> {
  const all = (await listVolumes(client)).filter(({ kind }) => kinds.includes(kind));
  const idle = all
    .filter(({ usedBy, usedAt }) => usedBy.length === 0 && Date.now() - usedAt.getTime() >= unusedForMs)
    .toSorted((a, b) => a.usedAt.getTime() - b.usedAt.getTime());
  let bytes = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const removed: ListedVolume[] = [];
  for (const volume of idle) {
    if (maxBytes !== undefined && bytes <= maxBytes) break;
    // A step may have begun to use it meanwhile, or somebody else have removed it.
    if (!dryRun && (await removeUnused(client, volume.name).catch(unlessMissing)).length > 0) continue;
    bytes -= volume.sizeBytes;
    removed.push(volume);
  }
  return removed;
}

/** @returns the steps that use it, for which it stays. */
async function removeUnused(client: Client, name: string): Promise<readonly string[]> {
  const key = volumeKey(name);
  try {
    const users = (await findUsers(client)).get(name) ?? [];
    if (users.length > 0) return users;
    // A step may begin to use it at this very moment. The collector alone sees both: see `openVolumes`.
    await client.snapshots.setLabels(key, { [GC_ROOT_LABEL]: "" });
    await client.leases.collectGarbage();
    return await keepIfHeld(client, name);
  } catch (cause) {
    if (!isContainerdError(cause, "not-found")) throw cause;
    throw new ExecutorError(`there is no volume ${name} in namespace ${client.namespace}`, {
      kind: "invalid-argument",
      cause,
    });
  }
}

/** After a collection: nothing when it is gone; else who holds it, for whom it is to stay. */
async function keepIfHeld(client: Client, name: string): Promise<readonly string[]> {
  try {
    await client.snapshots.setLabels(volumeKey(name), { [GC_ROOT_LABEL]: new Date().toISOString() });
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return [];
    throw reason;
  }
  return (await findUsers(client)).get(name) ?? ["somebody else"];
}

function unlessMissing(reason: unknown): readonly string[] {
  if (reason instanceof ExecutorError && isContainerdError(reason.cause, "not-found")) return [];
  throw reason;
}

/** Steps by the names of the volumes that they use: those that run, those that are being made, and those that a dead executor left. */
async function findUsers(client: Client): Promise<Map<string, string[]>> {
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
