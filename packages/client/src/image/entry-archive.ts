import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { callService } from "../call.js";
import type { Content } from "../content/content.js";
import { packMounts } from "../diff.js";
import { ContainerdError } from "../error.js";
import { linkName } from "./entry-links.js";
import { discard, type EntryOutcome, type EntryReader, type ReadEntriesOptions } from "./entry-reader.js";
import type { LinkDirectory } from "./link-directory.js";

/** Has the directory packed, and reads the archive. */
export async function readDirectory(
  { services, content }: EntryReader,
  directory: LinkDirectory,
  paths: readonly string[],
  options: ReadEntriesOptions,
): Promise<Map<string, EntryOutcome>> {
  const ref = `read-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const { mounts, directoryMount } = directory;
    digest = await callService("pack files of the unpacked image", () =>
      packMounts(services, directoryMount === undefined ? mounts : [directoryMount], ref),
    );
    if (digest === undefined)
      throw new ContainerdError("the daemon packed nothing", { kind: "internal", operation: "pack files" });
    const byName = await readArchive(content, digest, options);
    return new Map(
      paths.map((path) => {
        // The differ leaves out only sockets.
        return [path, byName.get(linkName(directory, path)) ?? { kind: "special", type: "socket" }];
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
      return { kind: "file", bytes: await buffer(source) };
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
