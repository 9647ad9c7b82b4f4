import { posix } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { call } from "./call.js";
import type { Content } from "./content.js";
import { ContainerdError } from "./error.js";
import type { ResolvedImage } from "./image-resolve.js";
import type { Descriptor } from "./oci/descriptor.js";
import { atMost, DEFAULT_MAX_UNPACKED_BYTES } from "./unpack-limit.js";
import { createUnzstd } from "./zstd.js";

export interface ReadFilesOptions {
  /** The largest file that is taken. */
  readonly maxBytes: number;
  /** Bytes that a layer may unpack to while it is looked through. Default 100 GiB. */
  readonly maxUnpackedBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the layers have under one path. */
type Entry =
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory" }
  /** Nothing, or nothing that can be read. */
  | { readonly kind: "none" };

/** A hard link is to what its target was when its layer was made, whatever later layers did to that. */
interface HardLink {
  readonly kind: "hard link";
  readonly target: string;
}

/** tar-stream gives bytes, though its types do not say so. */
type Entries = AsyncIterable<Uint8Array> & { resume(): void };

/** As the kernel: more links in a path than this are a loop. */
const MAX_LINKS = 40;

/**
 * Reads small files out of an image's layers, which are read from the content store: nothing is mounted, and the daemon may be
 * anywhere. Later layers win; whiteouts hide; links are followed inside the image's root.
 */
export async function readImageFiles(
  content: Content,
  image: ResolvedImage,
  paths: readonly string[],
  options: ReadFilesOptions,
): Promise<Map<string, Uint8Array>> {
  return call(`read files of image ${image.name}`, () => readFiles(content, image, paths, options));
}

async function readFiles(
  content: Content,
  image: ResolvedImage,
  paths: readonly string[],
  options: ReadFilesOptions,
): Promise<Map<string, Uint8Array>> {
  const known = new Map<string, Entry>();
  const wanted = new Map(paths.map((path) => [path, clean(path)]));
  const files = new Map<string, Uint8Array>();
  for (let links = 0; wanted.size > 0; links++) {
    if (links > MAX_LINKS) tooManyLinks([...wanted.keys()]);
    const look = [...wanted.values()].flatMap(prefixes).filter((path) => !known.has(path));
    await readLayers(content, image.layers, new Set(look), known, { ...options, depth: 0 });
    for (const [asked, path] of wanted) {
      const next = follow(path, known);
      if (typeof next === "string") {
        wanted.set(asked, next);
        continue;
      }
      if (next !== undefined) files.set(asked, next);
      wanted.delete(asked);
    }
  }
  return files;
}

/** The bytes; another path to look at, when there was a link; or undefined when there is no such file. */
function follow(path: string, known: ReadonlyMap<string, Entry>): Uint8Array | string | undefined {
  for (const prefix of prefixes(path)) {
    const entry = known.get(prefix);
    if (entry?.kind === "link")
      return clean(
        posix.join(posix.resolve("/", posix.dirname(prefix), entry.target), path.slice(prefix.length)),
      );
    if (prefix === path) return entry?.kind === "file" ? entry.bytes : undefined;
    // Below a file there is nothing, whatever a lower layer had there. Layers need not list a directory: it may well be there.
    if (entry?.kind === "file") return undefined;
  }
  return undefined;
}

interface LayerOptions extends ReadFilesOptions {
  /** Hard links that led here. */
  readonly depth: number;
}

/** Fills in, from the top layer down, what the layers have under these paths. */
async function readLayers(
  content: Content,
  layers: readonly Descriptor[],
  paths: ReadonlySet<string>,
  known: Map<string, Entry>,
  options: LayerOptions,
): Promise<void> {
  const open = new Set(paths);
  for (const [index, layer] of [...layers.entries()].toReversed()) {
    if (open.size === 0) break;
    const found = await readLayer(content, layer, open, options);
    const hardLinks = new Map<string, string>();
    for (const [path, entry] of found) {
      open.delete(path);
      if (entry.kind === "hard link") hardLinks.set(path, entry.target);
      else known.set(path, entry);
    }
    if (hardLinks.size === 0) continue;
    if (options.depth >= MAX_LINKS) tooManyLinks([...hardLinks.keys()]);
    const targets = new Map<string, Entry>();
    const below = layers.slice(0, index + 1);
    await readLayers(content, below, new Set(hardLinks.values()), targets, {
      ...options,
      depth: options.depth + 1,
    });
    for (const [path, target] of hardLinks) known.set(path, targets.get(target) ?? { kind: "none" });
  }
  for (const path of open) known.set(path, { kind: "none" });
}

async function readLayer(
  content: Content,
  layer: Descriptor,
  paths: ReadonlySet<string>,
  { maxBytes, maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES, signal }: ReadFilesOptions,
): Promise<Map<string, Entry | HardLink>> {
  const found = new Map<string, Entry | HardLink>();
  const hidden = new Set<string>();
  const tar = extract();
  const unzip = decompressor(layer);
  const bytes = Readable.from(content.read(layer.digest, { signal }));
  const limit = (source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
    atMost(source, maxUnpackedBytes);
  const ending = { ...(signal !== undefined && { signal }) };
  const feeding =
    unzip === undefined ? pipeline(bytes, limit, tar, ending) : pipeline(bytes, unzip, limit, tar, ending);
  feeding.catch(() => undefined);
  for await (const entry of tar) {
    const path = clean(entry.header.name);
    const name = posix.basename(path);
    if (name === ".wh..wh..opq") hideBelow(paths, posix.dirname(path), hidden);
    else if (name.startsWith(".wh."))
      hideBelow(paths, posix.join(posix.dirname(path), name.slice(4)), hidden, true);
    else if (paths.has(path)) {
      found.set(path, await readEntry(entry.header, entry as Entries, path, maxBytes));
      continue;
    }
    entry.resume();
  }
  await feeding;
  for (const path of hidden) if (!found.has(path)) found.set(path, { kind: "none" });
  return found;
}

function decompressor({ mediaType, digest }: Descriptor): Transform | undefined {
  if (/zstd$/.test(mediaType)) return createUnzstd(`layer ${digest}`);
  return /gzip$/.test(mediaType) ? createGunzip() : undefined;
}

async function readEntry(
  { type, size = 0, linkname }: Header,
  source: Entries,
  path: string,
  maxBytes: number,
): Promise<Entry | HardLink> {
  if (type === "file" || type === "contiguous-file") {
    if (size > maxBytes) {
      throw new ContainerdError(`${path} of the image has ${size} bytes; allowed: ${maxBytes}`, {
        kind: "out-of-range",
      });
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(chunk);
    return { kind: "file", bytes: Buffer.concat(chunks) };
  }
  source.resume();
  if (type === "directory") return { kind: "directory" };
  if (typeof linkname !== "string") return { kind: "none" };
  if (type === "link") return { kind: "hard link", target: clean(linkname) };
  return type === "symlink" ? { kind: "link", target: linkname } : { kind: "none" };
}

function tooManyLinks(paths: readonly string[]): never {
  throw new ContainerdError(`${paths.join(", ")}: too many links; allowed: ${MAX_LINKS}`, {
    kind: "invalid-argument",
  });
}

function hideBelow(
  paths: ReadonlySet<string>,
  directory: string,
  hidden: Set<string>,
  withItself = false,
): void {
  for (const path of paths) {
    if (path.startsWith(directory === "/" ? "/" : `${directory}/`) || (withItself && path === directory))
      hidden.add(path);
  }
}

/** Absolute and inside the root, whatever was written. */
function clean(path: string): string {
  return posix.resolve("/", path);
}

/** `/etc/passwd`: `/etc`, `/etc/passwd`. */
function prefixes(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join("/")}`);
}
