import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { callService } from "../call.js";
import { applyDiff } from "../diff.js";
import { type ContainerdError, isContainerdError } from "../error.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import { discard, type EntryOutcome, type EntryReader, type ReadEntriesOptions } from "./entry-reader.js";
import type { LinkDirectory } from "./link-directory.js";
import type { RootEntry } from "./path.js";

/** Makes all links that work. Returns a result for each path whose link failed. */
export async function linkEntries(
  reader: EntryReader,
  directory: LinkDirectory,
  paths: readonly string[],
  { signal }: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const outcomes = new Map<string, EntryOutcome>();
  // The daemon stops applying an archive at the first link that fails.
  const waiting = [[...paths]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    signal?.throwIfAborted();
    try {
      await applyLinks(reader, directory, next);
    } catch (reason) {
      // Errors of the daemon's file systems have the kind `unknown`. All other kinds come from the daemon
      // itself or the connection.
      if (!isContainerdError(reason, "unknown")) throw reason;
      const failed = failedLink(reason.message, directory, next);
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
  directory: LinkDirectory,
  paths: readonly string[],
): { readonly path: string; readonly outcome: RootEntry | undefined } | undefined {
  const [, before = "", name, reason = ""] =
    new RegExp(`^(.*)/${directory.name}/([0-9a-f]{64}): ([^:]*)$`, "s").exec(message) ?? [];
  const path = paths.find((each) => linkName(directory, each) === name);
  if (path === undefined || !/(?:^| )link /.test(before)) return undefined;
  return { path, outcome: OUTCOMES[reason] };
}

/**
 * The link's file name for a path. It differs in each directory, so that two readers never pack the same
 * content: one would remove what the other still reads.
 */
export function linkName({ name }: LinkDirectory, path: string): string {
  return createHash("sha256").update(`${name}/${path}`).digest("hex");
}

/**
 * Applies an archive with a link for each path.
 *
 * @param options `removeOthers`: remove everything else from the snapshot.
 */
export async function applyLinks(
  { services, content }: EntryReader,
  directory: LinkDirectory,
  paths: readonly string[],
  { removeOthers = false }: { readonly removeOthers?: boolean } = {},
): Promise<void> {
  if (paths.length === 0) return;
  const archive = pack();
  archive.entry({ name: directory.name, type: "directory", mode: 0o700 });
  for (const path of paths)
    archive.entry({ name: `${directory.name}/${linkName(directory, path)}`, type: "link", linkname: path });
  // An opaque whiteout of the root: the differ removes everything that is not in this archive.
  if (removeOthers) archive.entry({ name: ".wh..wh..opq" }, "");
  archive.finalize();
  const bytes = await buffer(archive);

  const ref = `read-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const written = await content.write({ ref, size: bytes.byteLength }, (offset) =>
      Readable.from([bytes.subarray(offset)]),
    );
    digest = written.digest;
    const layer = { mediaType: MEDIA_TYPES.layer, digest, size: bytes.byteLength };
    await callService("link files of the unpacked image", () => applyDiff(services, layer, directory.mounts));
  } finally {
    await discard(digest === undefined ? content.abort(ref) : content.delete(digest));
  }
}

function cannotLink(cause: ContainerdError): EntryOutcome {
  return { kind: "failed", problem: `cannot be read: ${cause.message}`, error: { kind: "unknown", cause } };
}
