import { constants } from "node:fs";
import { chmod, chown, lchown, lstat, mkdir, open, readdir, rm, statfs, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "@wfe-containerd/client";
import type { ArchiveEntry } from "../core/plan/archive.js";
import { unlessMissing } from "../machine/unless-missing.js";

/**
 * Files of a container that this process makes itself. It can if the daemon's locality is `local`, and this
 * process may write there, mostly as root. Then it takes a millisecond or two. Over the API, the daemon
 * stores an archive on its disk first, and syncs it, which takes longer than all other calls before the
 * task's.
 *
 * Each function returns false if it cannot be done here. Some of the files may be there then; what comes over
 * the API replaces them.
 */

/** A snapshot of overlayfs. */
interface Overlay {
  readonly upper: string;
  /** The layers below, the topmost first. */
  readonly lowers: readonly string[];
}

/** A layer that is older was not made for this step, so our path is not the daemon's. */
const FRESH_MS = 60_000;

const DIRECTORY_ONLY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** In linux/magic.h. */
const TMPFS_MAGIC = 0x0102_1994;

/**
 * Makes files in a step's own layer, which no container has mounted yet. Each must be at the top, or in a
 * directory at the top that is no link in the image, or in a directory that comes before it.
 */
export async function writeToLayer(
  mounts: readonly Mount[],
  entries: readonly ArchiveEntry[],
): Promise<boolean> {
  const overlay = overlayOf(mounts);
  if (overlay === undefined) return false;
  try {
    if (!(await isFresh(overlay.upper))) return false;
    const made = new Set<string>();
    for (const entry of entries) {
      const parent = entry.name.slice(0, Math.max(0, entry.name.lastIndexOf("/")));
      if (parent !== "" && !made.has(parent)) {
        if (parent.includes("/") || !(await copyDirectory(overlay, parent))) return false;
        made.add(parent);
      }
      await writeEntry(overlay.upper, entry);
      if (entry.type === "directory") made.add(entry.name);
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes files in a tmpfs of a container none of whose code runs: it is created, or frozen.
 *
 * @param directory where the container has it, without links on the way that others could change.
 * @param instead an entry at the top of it that is removed first, whatever it is.
 */
export async function writeToTmpfs(
  pid: number,
  directory: string,
  entries: readonly ArchiveEntry[],
  instead?: string,
): Promise<boolean> {
  const prefix = `${directory.slice(1)}/`;
  try {
    const handle = await open(`/proc/${pid}/root${directory}`, DIRECTORY_ONLY);
    try {
      const place = `/proc/self/fd/${handle.fd}`;
      // They must never be on a disk.
      if ((await statfs(place)).type !== TMPFS_MAGIC) return false;
      if (!entries.every(({ name }) => name.startsWith(prefix))) return false;
      if (instead !== undefined) await rm(join(place, instead), { recursive: true, force: true });
      for (const entry of entries)
        await writeEntry(place, { ...entry, name: entry.name.slice(prefix.length) });
      return true;
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}

/**
 * Whether a layer has a directory with nothing in it, as the runtime makes a working directory. Undefined:
 * the layer cannot be seen here.
 */
export async function hasEmptyDirectory(layer: string, name: string): Promise<boolean | undefined> {
  try {
    await readdir(layer);
    for (const path of pathsTo(name)) {
      const stats = await lstat(join(layer, path)).catch(unlessMissing);
      if (stats?.isDirectory() !== true) return false;
    }
    return (await readdir(join(layer, name))).length === 0;
  } catch {
    return undefined;
  }
}

/**
 * Gives a directory of a created container, none of whose code runs, its owner and mode. No link may be on
 * the way, and nothing that others can change.
 */
export async function chownDirectory(
  pid: number,
  { name, mode, uid, gid }: Extract<ArchiveEntry, { readonly type: "directory" }>,
): Promise<boolean> {
  const root = `/proc/${pid}/root`;
  try {
    for (const path of pathsTo(name)) if (!(await lstat(join(root, path))).isDirectory()) return false;
    const handle = await open(join(root, name), DIRECTORY_ONLY);
    try {
      await handle.chown(uid, gid);
      await handle.chmod(mode);
      return true;
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}

/** `a`, `a/b` and `a/b/c` for `a/b/c`. */
function pathsTo(name: string): string[] {
  const parts = name.split("/");
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
}

/** The directory that the snapshot's own changes are in. Undefined for other snapshots than overlayfs's. */
export function upperDirectory(mounts: readonly Mount[]): string | undefined {
  const [mount] = mounts;
  if (mounts.length !== 1 || mount?.type !== "overlay") return undefined;
  return optionOf(mount, "upperdir");
}

function overlayOf(mounts: readonly Mount[]): Overlay | undefined {
  const upper = upperDirectory(mounts);
  const [mount] = mounts;
  // With mapped ids, a file's owner is another one in the layer than in the container.
  if (
    upper === undefined ||
    mount === undefined ||
    mount.options.some((option) => /^[ug]idmap=/.test(option))
  )
    return undefined;
  return { upper, lowers: optionOf(mount, "lowerdir")?.split(":") ?? [] };
}

function optionOf({ options }: Mount, name: string): string | undefined {
  return options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}

async function isFresh(upper: string): Promise<boolean> {
  const { ctimeMs } = await lstat(upper);
  return Math.abs(Date.now() - ctimeMs) < FRESH_MS && (await readdir(upper)).length === 0;
}

/**
 * Makes a directory at the top of a layer, as the layers below have it: overlayfs shows the owner and mode of
 * the upper one. Returns false if it is not a directory there, but a link or a file.
 */
async function copyDirectory({ upper, lowers }: Overlay, name: string): Promise<boolean> {
  for (const lower of lowers) {
    const stats = await lstat(join(lower, name)).catch(unlessMissing);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) return false;
    const { mode, uid, gid } = stats;
    await writeEntry(upper, { type: "directory", name, mode: mode & 0o7777, uid, gid });
    return true;
  }
  await writeEntry(upper, { type: "directory", name, mode: 0o755, uid: 0, gid: 0 });
  return true;
}

async function writeEntry(root: string, entry: ArchiveEntry): Promise<void> {
  const path = join(root, entry.name);
  if (entry.type === "symlink") {
    await symlink(entry.target, path);
    await lchown(path, 0, 0);
    return;
  }
  const { mode, uid, gid } = entry;
  if (entry.type === "directory") {
    if (entry.xattrs !== undefined) throw new Error("Node.js cannot set extended attributes");
    await mkdir(path, { mode: 0o700 });
    await chown(path, uid, gid);
    // After the change of the owner, which takes some bits away; and whatever this process's umask is.
    await chmod(path, mode);
    return;
  }
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(entry.contents);
    await handle.chown(uid, gid);
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}
