import { randomUUID } from "node:crypto";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Mount, Snapshots } from "../snapshot.js";
import { readDirectory } from "./entry-archive.js";
import { applyLinks, linkEntries } from "./entry-links.js";
import { discard, type EntryOutcome, type EntryReader, type ReadEntriesOptions } from "./entry-reader.js";
import { createLinkDirectory } from "./link-directory.js";

/**
 * Looks up paths in a committed snapshot, as its file system shows them to the daemon. No layer is parsed, so
 * the result cannot differ from what the daemon unpacked.
 *
 * It makes a writable snapshot on top and applies an archive to it, through the snapshot's mounts. The
 * archive has a new directory with a random name and, in it, a hard link to each path. The daemon's differ
 * then packs this directory, and we read the pack. If a path's directory is a link, the daemon follows it in
 * its own way (containerd's `fs.RootPath`). So a result counts only if every directory above the path is
 * found to be a `directory`.
 *
 * The snapshot and the two archives exist only during this call, under the caller's lease.
 *
 * @param paths paths from the root, without a leading slash, and without `.` and `..`.
 */
export async function readUnpackedEntries(
  reader: EntryReader,
  chainId: string,
  paths: readonly string[],
  options: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const key = `read-${randomUUID()}`;
  try {
    const directory = createLinkDirectory(await prepare(reader.snapshots, key, chainId));
    const outcomes = await linkEntries(reader, directory, paths, options);
    const linked = paths.filter((path) => !outcomes.has(path));
    if (linked.length === 0) return outcomes;
    options.signal?.throwIfAborted();
    const tooLarge = directory.isCopy ? await measure(reader.snapshots, key, linked, options) : undefined;
    if (tooLarge !== undefined && paths.length > 1)
      return await readOneByOne(reader, chainId, paths, options);
    if (tooLarge !== undefined) return new Map(paths.map((path) => [path, tooLarge]));
    if (directory.directoryMount === undefined)
      await applyLinks(reader, directory, linked, { removeOthers: true });
    for (const [path, entry] of await readDirectory(reader, directory, linked, options))
      outcomes.set(path, entry);
    return outcomes;
  } finally {
    await discard(reader.snapshots.remove(key));
  }
}

/** Disk space for the directories of the files, and for the ends of their last blocks. */
const SLACK_BYTES = 1024 * 1024;

/**
 * Looks how much the links have made the kernel copy: packing a file of gigabytes takes the daemon
 * minutes, and its disk as much again.
 *
 * @returns why that is too much, or undefined.
 */
async function measure(
  snapshots: Snapshots,
  key: string,
  linked: readonly string[],
  { maxBytes }: ReadEntriesOptions,
): Promise<EntryOutcome | undefined> {
  const { sizeBytes } = await snapshots.usage(key);
  if (sizeBytes <= linked.length * maxBytes + SLACK_BYTES) return undefined;
  const problem = `takes ${sizeBytes} bytes on the disk; allowed: up to ${maxBytes}`;
  return { kind: "failed", problem, error: { kind: "out-of-range" } };
}

/** Of several paths it takes a look at each to know which one is too large. */
async function readOneByOne(
  reader: EntryReader,
  chainId: string,
  paths: readonly string[],
  options: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const outcomes = new Map<string, EntryOutcome>();
  for (const path of paths)
    for (const [name, outcome] of await readUnpackedEntries(reader, chainId, [path], options))
      outcomes.set(name, outcome);
  return outcomes;
}

async function prepare(snapshots: Snapshots, key: string, chainId: string): Promise<Mount[]> {
  try {
    return await snapshots.prepare(key, chainId);
  } catch (reason) {
    if (!isContainerdError(reason, "not-found")) throw reason;
    throw new ContainerdError("the image is not unpacked; unpack it first, with images.unpack", {
      kind: "failed-precondition",
      cause: reason,
    });
  }
}
