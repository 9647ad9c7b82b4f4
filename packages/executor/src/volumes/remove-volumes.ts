import { type Client, isContainerdError } from "@wfe-containerd/client";
import { GC_ROOT_LABEL, isWorkspace, type VolumeKind, volumeKey } from "../core/step/volume.js";
import { ExecutorError } from "../error.js";
import { checkOptions } from "../options.js";
import { findUsers, type ListedVolume, listVolumes } from "./list-volumes.js";

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
   * longest go first. One whose size is not known counts as empty. Default: no limit, everything unused is
   * removed.
   */
  readonly maxBytes?: number | undefined;
  /** Only report what would be removed. @default false */
  readonly dryRun?: boolean | undefined;
}

/**
 * Removes a volume or cache, and everything in it.
 *
 * @throws ExecutorError `invalid-argument` if no volume has that name, or a step uses it.
 */
export async function removeVolume(client: Client, name: string): Promise<void> {
  const users = await removeUnused(client, name);
  if (users.length === 0) return;
  throw new ExecutorError(
    `volume ${name} is used by ${users.join(", ")}; allowed: a volume that no step uses`,
    {
      kind: "invalid-argument",
    },
  );
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
  options: PruneVolumesOptions = {},
): Promise<ListedVolume[]> {
  checkOptions("pruneVolumes", options, { kinds: true, unusedForMs: true, maxBytes: true, dryRun: true });
  const { kinds = ["cache"], unusedForMs = 0, maxBytes, dryRun = false } = options;
  const all = (await listVolumes(client)).filter(({ kind }) => kinds.includes(kind));
  const idle = all
    .filter(({ usedBy, usedAt }) => usedBy.length === 0 && Date.now() - usedAt.getTime() >= unusedForMs)
    .toSorted((a, b) => a.usedAt.getTime() - b.usedAt.getTime());
  let bytes = all.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  const removed: ListedVolume[] = [];
  for (const volume of idle) {
    if (maxBytes !== undefined && bytes <= maxBytes) break;
    // Meanwhile a step may have begun to use it, or another process may have removed it.
    if (!dryRun && (await removeUnused(client, volume.name).catch(emptyIfMissing)).length > 0) continue;
    bytes -= volume.sizeBytes ?? 0;
    removed.push(volume);
  }
  return removed;
}

/** @returns the steps that use the volume, because of which it was not removed. */
async function removeUnused(client: Client, name: string): Promise<readonly string[]> {
  const key = volumeKey(name);
  if (isWorkspace(name)) throw missing(client, name);
  try {
    const users = (await findUsers(client)).get(name) ?? [];
    if (users.length > 0) return users;
    // A step may begin to use it at this moment. Only the garbage collector sees both sides: see
    // `openVolumes`.
    await client.snapshots.setLabels(key, { [GC_ROOT_LABEL]: "" });
    await client.leases.collectGarbage();
    return await restoreIfUsed(client, name);
  } catch (cause) {
    if (!isContainerdError(cause, "not-found")) throw cause;
    throw missing(client, name, cause);
  }
}

function missing({ namespace }: Client, name: string, cause?: unknown): ExecutorError {
  return new ExecutorError(
    `volume ${name} does not exist in the namespace ${namespace}; check its name (wfe-containerd volume ls lists all)`,
    { kind: "invalid-argument", cause },
  );
}

/**
 * Called after a collection. Returns an empty list if the volume is gone. Otherwise restores its root label
 * and returns its users.
 */
async function restoreIfUsed(client: Client, name: string): Promise<readonly string[]> {
  try {
    await client.snapshots.setLabels(volumeKey(name), { [GC_ROOT_LABEL]: new Date().toISOString() });
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return [];
    throw reason;
  }
  return (await findUsers(client)).get(name) ?? ["another client"];
}

function emptyIfMissing(reason: unknown): readonly string[] {
  if (reason instanceof ExecutorError && isContainerdError(reason.cause, "not-found")) return [];
  throw reason;
}
