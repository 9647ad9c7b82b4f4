import { callService } from "../call.js";
import { createContent } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import type { Leases } from "../lease/lease.js";
import { underLease } from "../lease/work-lease.js";
import { refuse } from "../refuse.js";
import { createSnapshots } from "../snapshot.js";
import type { EntryReader } from "./entry-reader.js";
import { MAX_LINKS, type RootEntry, type Walk, walkPath } from "./path.js";
import type { ResolvedImage } from "./resolve.js";
import { readUnpackedEntries } from "./unpacked-entries.js";

/** Options of `Images.readFiles`. */
export interface ReadFilesOptions {
  /** Largest size of a file, in bytes. */
  readonly maxBytes: number;
  /**
   * Absolute paths where a container has something else mounted, such as `/proc`. A file at or below such a
   * path is refused.
   *
   * @default none
   */
  readonly hiddenPaths?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FileReader {
  readonly context: Context;
  readonly leases: Leases;
}

/**
 * Limit for all files, directories and links on the way to the paths. It stops an image whose links lead on
 * without end.
 */
const MAX_ENTRIES = 256;

/**
 * Reads small files of an unpacked image, as a process in its container sees them. The daemon reads them from
 * the image's snapshot, so it may be on another machine. Links are followed inside the image's root.
 */
export async function readImageFiles(
  { context, leases }: FileReader,
  image: Pick<ResolvedImage, "name" | "chainId">,
  paths: readonly string[],
  options: ReadFilesOptions,
): Promise<Map<string, Uint8Array>> {
  return callService(`read files of image ${image.name}`, async () => {
    options.signal?.throwIfAborted();
    if (image.chainId === "" || paths.length === 0) return new Map();
    return underLease({ context, leases }, "read", options, (leased) =>
      readFiles(leased, image, paths, options),
    );
  });
}

async function readFiles(
  context: Context,
  image: Pick<ResolvedImage, "name" | "chainId">,
  paths: readonly string[],
  options: ReadFilesOptions,
): Promise<Map<string, Uint8Array>> {
  const reader: EntryReader = {
    services: context.services,
    content: createContent(context),
    snapshots: createSnapshots(context),
  };
  const known = new Map<string, RootEntry>(
    options.hiddenPaths?.map((path) => [path.replace(/^\/+/, ""), { kind: "hidden", path }]),
  );
  for (;;) {
    const walks = paths.map((path) => ({ path, walk: walkPath(path, known) }));
    const unknown = new Set(walks.flatMap(({ walk }) => (walk.state === "unknown" ? walk.paths : [])));
    if (unknown.size === 0) return takeFiles(walks);
    if (known.size + unknown.size > MAX_ENTRIES) {
      refuse(
        `${paths.join(", ")}: the paths lead through too many files, directories and links`,
        `up to ${MAX_ENTRIES}`,
      );
    }
    await learn(reader, image, [...unknown], known, options);
  }
}

/** Looks up these paths. A result is kept only if every directory above the path is a real directory. */
async function learn(
  reader: EntryReader,
  image: Pick<ResolvedImage, "name" | "chainId">,
  paths: readonly string[],
  known: Map<string, RootEntry>,
  options: ReadFilesOptions,
): Promise<void> {
  const byDepth = paths.toSorted((a, b) => a.split("/").length - b.split("/").length);
  // Deepest first. The deepest path is usually a file, and linking it works. Its directory fails, as
  // expected, and comes at the end of the archive.
  const outcomes = await readUnpackedEntries(reader, image.chainId, byDepth.toReversed(), options);
  for (const path of byDepth) {
    const above = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    if (above !== "" && known.get(above)?.kind !== "directory") continue;
    const outcome = outcomes.get(path);
    if (outcome === undefined) continue;
    if (outcome.kind === "failed")
      throw new ContainerdError(`/${path} of the image ${outcome.problem}`, outcome.error);
    known.set(path, outcome);
  }
}

function takeFiles(
  walks: readonly { readonly path: string; readonly walk: Walk }[],
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { path, walk } of walks) {
    if (walk.state === "too-many-links")
      refuse(`${path}: the path leads through too many links`, `up to ${MAX_LINKS}`);
    if (walk.state !== "found" || walk.entry.kind === "absent") continue;
    const { entry } = walk;
    if (entry.kind === "file") files.set(path, entry.bytes);
    else refuseEntry(path, entry);
  }
  return files;
}

function refuseEntry(path: string, entry: Exclude<RootEntry, { kind: "file" | "absent" }>): never {
  const what =
    entry.kind === "hidden"
      ? `leads to ${entry.path}, which a container replaces by a mount`
      : `is a ${entry.kind === "special" ? entry.type : entry.kind}`;
  return refuse(`${path} of the image ${what}`, "a regular file");
}
