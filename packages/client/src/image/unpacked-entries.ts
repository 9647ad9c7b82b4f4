import { createHash, randomUUID } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header, pack } from "tar-stream";
import { type CallOptions, callService } from "../call.js";
import type { Content } from "../content/content.js";
import type { Services } from "../context.js";
import { ContainerdError, type ContainerdErrorOptions, isContainerdError } from "../error.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import type { Mount, Snapshots } from "../snapshot.js";
import type { RootEntry } from "./path.js";

export interface EntryReader {
  readonly services: Services;
  readonly content: Content;
  readonly snapshots: Snapshots;
}

export interface ReadEntriesOptions {
  /** Largest size of a file, in bytes. */
  readonly maxBytes: number;
  readonly signal?: CallOptions["signal"];
}

/** An entry, or the reason why it cannot be read. */
export type EntryOutcome =
  | RootEntry
  | { readonly kind: "failed"; readonly problem: string; readonly error: ContainerdErrorOptions };

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
    const place = placeOf(await prepare(reader.snapshots, key, chainId));
    const outcomes = await linkEntries(reader, place, paths, options);
    const linked = paths.filter((path) => !outcomes.has(path));
    if (linked.length === 0) return outcomes;
    options.signal?.throwIfAborted();
    const tooLarge = place.isCopy ? await measure(reader.snapshots, key, linked, options) : undefined;
    if (tooLarge !== undefined && paths.length > 1)
      return await readOneByOne(reader, chainId, paths, options);
    if (tooLarge !== undefined) return new Map(paths.map((path) => [path, tooLarge]));
    if (place.directoryMount === undefined) await applyLinks(reader, place, linked, { removeOthers: true });
    for (const [path, entry] of await readDirectory(reader, place, linked, options))
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

interface WireMount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

/** The place in which the links are made. */
interface Place {
  /** Name of the directory in the snapshot's root. The maker of the image cannot guess it. */
  readonly directory: string;
  readonly mounts: WireMount[];
  /** Mounts only this directory. Undefined if the snapshotter does not show where its files are. */
  readonly directoryMount: WireMount | undefined;
  /** What is linked is copied into the snapshot first. */
  readonly isCopy: boolean;
}

function placeOf(mounts: readonly Mount[]): Place {
  const directory = `.wfe-read-${randomUUID()}`;
  const wire = mounts.map(({ options, ...mount }) => ({ ...mount, options: [...options] }));
  const [only] = wire;
  const bindOf = (parent: string): WireMount => ({
    type: "bind",
    source: posix.join(parent, directory),
    target: "",
    options: ["rbind", "ro"],
  });
  const plain = { directory, mounts: wire, directoryMount: undefined, isCopy: false };
  if (wire.length !== 1 || only === undefined) return plain;
  if (only.type === "bind") return { ...plain, directoryMount: bindOf(only.source) };
  const upper = only.options.find((option) => option.startsWith("upperdir="))?.slice("upperdir=".length);
  if (only.type !== "overlay" || upper === undefined) return plain;
  const options = [
    // Linux refuses to mount an upper directory again that was mounted with "volatile".
    ...only.options.filter((option) => option !== "volatile"),
    // Some kernels are configured to copy only the metadata of a linked file. Its data would be read as
    // zeros.
    "metacopy=off",
  ];
  // With a single overlay mount, the differ would unpack into the upper directory, which does not show the
  // image's files (containerd's diff/apply/apply_linux.go).
  const below: WireMount = { type: "tmpfs", source: "tmpfs", target: "", options: [] };
  return {
    directory,
    mounts: [below, { ...only, options }],
    directoryMount: bindOf(upper),
    isCopy: true,
  };
}

/** Makes all links that work. Returns a result for each path whose link failed. */
async function linkEntries(
  reader: EntryReader,
  place: Place,
  paths: readonly string[],
  { signal }: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const outcomes = new Map<string, EntryOutcome>();
  // The daemon stops applying an archive at the first link that fails.
  const waiting = [[...paths]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    signal?.throwIfAborted();
    try {
      await applyLinks(reader, place, next);
    } catch (reason) {
      // Errors of the daemon's file systems have the kind `unknown`. All other kinds come from the daemon
      // itself or the connection.
      if (!isContainerdError(reason, "unknown")) throw reason;
      const failed = failedLink(reason.message, place, next);
      if (failed !== undefined) {
        outcomes.set(failed.path, failed.outcome ?? cannotLink(reason));
        waiting.push(next.slice(next.indexOf(failed.path) + 1));
      } else if (next.length === 1) outcomes.set(next[0] as string, cannotLink(reason));
      else waiting.push(...next.map((path) => [path]));
    }
  }
  return outcomes;
}

/** Errors of link(2) that give a result. A directory cannot be linked. */
const OUTCOMES: Readonly<Record<string, RootEntry>> = {
  "operation not permitted": { kind: "directory" },
  "no such file or directory": { kind: "absent" },
  "not a directory": { kind: "absent" },
};

/**
 * Finds the path whose link failed.
 *
 * @param message ends with Go's `link OLD NEW: REASON`. An image may choose OLD, but cannot know NEW.
 */
function failedLink(
  message: string,
  { directory }: Place,
  paths: readonly string[],
): { readonly path: string; readonly outcome: RootEntry | undefined } | undefined {
  const [, before = "", name, reason = ""] =
    new RegExp(`^(.*)/${directory}/([0-9a-f]{64}): ([^:]*)$`, "s").exec(message) ?? [];
  const path = paths.find((each) => nameOf(directory, each) === name);
  if (path === undefined || !/(?:^| )link /.test(before)) return undefined;
  return { path, outcome: OUTCOMES[reason] };
}

/**
 * The link's file name for a path. It differs in each directory, so that two readers never pack the same
 * content: one would remove what the other still reads.
 */
function nameOf(directory: string, path: string): string {
  return createHash("sha256").update(`${directory}/${path}`).digest("hex");
}

/**
 * Applies an archive with a link for each path.
 *
 * @param options `removeOthers`: remove everything else from the snapshot.
 */
async function applyLinks(
  { services, content }: EntryReader,
  { directory, mounts }: Place,
  paths: readonly string[],
  { removeOthers = false }: { readonly removeOthers?: boolean } = {},
): Promise<void> {
  if (paths.length === 0) return;
  const archive = pack();
  archive.entry({ name: directory, type: "directory", mode: 0o700 });
  for (const path of paths)
    archive.entry({ name: `${directory}/${nameOf(directory, path)}`, type: "link", linkname: path });
  // An opaque whiteout of the root: the differ removes everything that is not in this archive.
  if (removeOthers) archive.entry({ name: ".wh..wh..opq" }, "");
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  const bytes = Buffer.concat(chunks);

  const ref = `read-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const written = await content.write({ ref, size: bytes.byteLength }, (offset) =>
      once(bytes.subarray(offset)),
    );
    digest = written.digest;
    const diff = { mediaType: MEDIA_TYPES.layer, digest, size: BigInt(bytes.byteLength) };
    await callService("link files of the unpacked image", () => services.diff.apply({ diff, mounts }));
  } finally {
    await discard(digest === undefined ? content.abort(ref) : content.delete(digest));
  }
}

/** Has the directory packed, and reads the archive. */
async function readDirectory(
  { services, content }: EntryReader,
  { directory, mounts, directoryMount }: Place,
  paths: readonly string[],
  options: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const ref = `read-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const right = directoryMount === undefined ? mounts : [directoryMount];
    const { diff } = await callService("pack files of the unpacked image", () =>
      services.diff.diff({ left: [], right, mediaType: MEDIA_TYPES.layer, ref }),
    );
    digest = diff?.digest;
    if (digest === undefined)
      throw new ContainerdError("the daemon packed nothing", { kind: "internal", operation: "pack files" });
    const byName = await readArchive(content, digest, options);
    return new Map(
      paths.map((path) => {
        // The differ leaves out only sockets.
        return [path, byName.get(nameOf(directory, path)) ?? { kind: "special", type: "socket" }];
      }),
    );
  } finally {
    await discard(digest === undefined ? content.abort(ref) : content.delete(digest));
  }
}

async function readArchive(
  content: Content,
  digest: string,
  { maxBytes, signal }: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const found = new Map<string, EntryOutcome>();
  const tar = extract();
  const feeding = pipeline(Readable.from(content.read(digest, { signal })), tar);
  feeding.catch(() => undefined);
  for await (const entry of tar) {
    const name = posix.basename(entry.header.name);
    found.set(name, await readEntry(entry.header, entry as AsyncIterable<Uint8Array>, found, maxBytes));
    entry.resume();
  }
  await feeding;
  return found;
}

async function readEntry(
  { type, size = 0, linkname }: Header,
  source: AsyncIterable<Uint8Array>,
  before: ReadonlyMap<string, EntryOutcome>,
  maxBytes: number,
): Promise<EntryOutcome> {
  switch (type) {
    case "file":
    case "contiguous-file": {
      if (size > maxBytes) {
        const problem = `has ${size} bytes; allowed: up to ${maxBytes}`;
        return { kind: "failed", problem, error: { kind: "out-of-range" } };
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) chunks.push(chunk);
      return { kind: "file", bytes: Buffer.concat(chunks) };
    }
    case "symlink":
      // tar-stream decodes names as UTF-8, and replaces invalid bytes with this character.
      if (linkname?.includes("\u{fffd}") === true) {
        const problem = `is a link to ${JSON.stringify(linkname)}; allowed: a name in UTF-8`;
        return { kind: "failed", problem, error: { kind: "invalid-argument" } };
      }
      return { kind: "link", target: linkname ?? "" };
    case "link":
      // Two paths lead to the same file.
      return before.get(posix.basename(linkname ?? "")) ?? { kind: "special", type: "link" };
    default:
      return { kind: "special", type: type ?? "unknown" };
  }
}

function cannotLink(cause: ContainerdError): EntryOutcome {
  return { kind: "failed", problem: `cannot be read: ${cause.message}`, error: { kind: "unknown", cause } };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * Waits for a removal and ignores its error. The outcome of the read matters more, and deleting the caller's
 * lease removes the rest.
 */
async function discard(removal: Promise<unknown>): Promise<void> {
  await removal.catch(() => undefined);
}
