import { type Client, isContainerdError, type Snapshot } from "@wfe-containerd/client";
import {
  GC_ROOT_LABEL,
  VOLUME_LABELS,
  VOLUMES_LABEL,
  type VolumeKind,
  volumeKey,
} from "./core/step/volume.js";
import { ExecutorError } from "./error.js";

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

/** Which volumes {@link pruneVolumes} removes. */
export interface PruneVolumesOptions {
  /** Kinds to remove. @default ["cache"] */
  readonly kinds?: readonly VolumeKind[] | undefined;
  /**
   * Only volumes that no step began to use for this long, in milliseconds. 0: every volume that is not in
   * use.
   *
   * @default 0
   */
  readonly unusedForMs?: number | undefined;
  /**
   * Remove only until all volumes of these kinds together have at most this many bytes. Those unused for
   * longest go first. Default: no limit, everything unused is removed.
   */
  readonly maxBytes?: number | undefined;
  /** Only report what would be removed. @default false */
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
 * Removes a volume or cache, and everything in it.
 *
 * @throws ExecutorError `invalid-argument` if no volume has that name, or a step uses it.
 */
export async function removeVolume(client: Client, name: string): Promise<void> {
  const users = await removeUnused(client, name);
  if (users.length === 0) return;
  throw new ExecutorError(`volume ${name} is used by ${users.join(", ")}; allowed: one that no step uses`, {
    kind: "invalid-argument",
  });
}

/**
 * Removes volumes that no step uses: only caches, unless other kinds are given.
 *
 * @returns the volumes that were removed, or with `dryRun` would be.
 * @example
 * ```ts
 * await pruneVolumes(client, { unusedForMs: 7 * 24 * 60 * 60 * 1000 });
 * ```
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
    // Meanwhile a step may have begun to use it, or another process may have removed it.
    if (!dryRun && (await removeUnused(client, volume.name).catch(unlessMissing)).length > 0) continue;
    bytes -= volume.sizeBytes;
    removed.push(volume);
  }
  return removed;
}

/** @returns the steps that use the volume, because of which it was not removed. */
async function removeUnused(client: Client, name: string): Promise<readonly string[]> {
  const key = volumeKey(name);
  try {
    const users = (await findUsers(client)).get(name) ?? [];
    if (users.length > 0) return users;
    // A step may begin to use it at this moment. Only the garbage collector sees both sides: see
    // `openVolumes`.
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

/**
 * Called after a collection. Returns an empty list if the volume is gone. Otherwise restores its root label
 * and returns its users.
 */
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

/** The users of each volume by its name: running steps, steps in preparation, and steps of dead executors. */
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
