import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import type { Content } from "./content.js";
import type { Context } from "./context.js";
import { ContainerdError, isContainerdError } from "./error.js";
import { findImage, type Image } from "./image-record.js";
import type { ImageStore } from "./image-store.js";
import type { Leases } from "./lease.js";
import type { Descriptor } from "./oci/descriptor.js";
import {
  type Index,
  isIndexDocument,
  MAX_DOCUMENT_BYTES,
  type Manifest,
  parseImageConfig,
  parseIndexOrManifest,
} from "./oci/manifest.js";
import { MEDIA_TYPES } from "./oci/media-type.js";
import { formatPlatform, type Platform, rankPlatform } from "./oci/platform.js";
import { parseReference } from "./oci/reference.js";
import { beginWork } from "./work-lease.js";

export interface ExportOptions {
  /** Of an index, only what suits each of these best. Default: all that is here. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Exporter {
  readonly context: Context;
  readonly images: Pick<ImageStore, "get">;
  readonly content: Content;
  readonly leases: Leases;
}

const EPOCH = new Date(0);
const LAYOUT = JSON.stringify({ imageLayoutVersion: "1.0.0" });

/** See `Images.export`. */
export async function* exportImages(
  { context, images, content, leases }: Exporter,
  given: readonly (string | Image)[],
  { platforms, signal }: ExportOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (given.length === 0)
    throw new ContainerdError("names: there are none; allowed: at least one", { kind: "invalid-argument" });
  // Somebody else may remove an image while it is read.
  await using work = await beginWork({ context, leases }, "export");
  const blobs = new Map<string, Descriptor>();
  const entries: object[] = [];
  const found = await Promise.all(given.map((image) => findImage(images, image, { signal })));
  const all = [...new Map(found.map((image) => [image.name, image])).values()].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const { name, target } of all) {
    for (const blob of await collect(content, name, target, { platforms, signal })) {
      if (!blobs.has(blob.digest)) await leases.addResource(work.id, { type: "content", id: blob.digest });
      blobs.set(blob.digest, blob);
    }
    entries.push({ ...target, annotations: annotationsOf(name) });
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: entries });
  const tar = pack();
  const writing = writeArchive(tar, content, index, [...blobs.values()], signal).catch((reason: unknown) => {
    const error = ContainerdError.from(reason, `export ${all.map(({ name }) => name).join(", ")}`);
    tar.destroy(error);
    return error;
  });
  try {
    yield* tar as AsyncIterable<Uint8Array>;
  } catch (reason) {
    throw (await writing) ?? reason;
  } finally {
    tar.destroy();
    await writing;
  }
}

async function writeArchive(
  tar: Pack,
  content: Content,
  index: string,
  blobs: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<undefined> {
  tar.entry({ name: "oci-layout", mode: 0o644, mtime: EPOCH }, LAYOUT);
  tar.entry({ name: "index.json", mode: 0o644, mtime: EPOCH }, index);
  for (const { digest, size } of blobs) {
    const entry = tar.entry({ name: `blobs/${digest.replace(":", "/")}`, size, mode: 0o444, mtime: EPOCH });
    await pipeline(Readable.from(content.read(digest, { signal })), entry);
  }
  tar.finalize();
}

/** containerd reads the full name, and others OCI's, which is the tag alone. */
function annotationsOf(name: string): Record<string, string> {
  const tag = tagOf(name);
  return {
    "io.containerd.image.name": name,
    ...(tag !== undefined && { "org.opencontainers.image.ref.name": tag }),
  };
}

/** Other clients may give names that are no references. */
function tagOf(name: string): string | undefined {
  try {
    return parseReference(name).tag;
  } catch {
    return undefined;
  }
}

/** Everything of an image that is to be written, parents first. */
async function collect(
  content: Content,
  name: string,
  target: Descriptor,
  options: ExportOptions,
): Promise<Descriptor[]> {
  const document = await readDocument(content, target, options);
  if (!isIndexDocument(document)) {
    if (options.platforms !== undefined) await checkPlatform(content, name, document, options);
    return [target, ...(await parts(content, document, options))];
  }
  const found: Descriptor[] = [target];
  const { platforms } = options;
  const wanted =
    platforms === undefined
      ? document.manifests
      : [...new Set(platforms.map((platform) => bestEntry(name, document, platform)))];
  for (const entry of wanted) {
    try {
      // What stands in the index for a platform was chosen by it: below, everything counts.
      found.push(...(await collect(content, name, entry, { signal: options.signal })));
    } catch (reason) {
      if (platforms !== undefined || !isContainerdError(reason, "not-found")) throw reason;
    }
  }
  if (found.length > 1 || document.manifests.length === 0) return found;
  throw new ContainerdError(`image ${name} is here only as an index: nothing that it lists is`, {
    kind: "not-found",
  });
}

async function parts(
  content: Content,
  { config, layers }: Manifest,
  { signal }: ExportOptions,
): Promise<Descriptor[]> {
  const blobs = [config, ...layers];
  for (const { digest, size } of blobs) {
    const info = await content.info(digest, { signal });
    if (info.size === size) continue;
    throw new ContainerdError(`${digest} has ${info.size} bytes, and its descriptor says ${size}`, {
      kind: "data-loss",
    });
  }
  return blobs;
}

async function checkPlatform(
  content: Content,
  name: string,
  { config }: Manifest,
  { platforms = [], signal }: ExportOptions,
): Promise<void> {
  const bytes = await content.readAll(config.digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
  const own = parseImageConfig(config.digest, bytes);
  if (platforms.some((platform) => rankPlatform(platform, own) !== undefined)) return;
  refuse(name, platforms.map(formatPlatform).join(", "), formatPlatform(own));
}

function bestEntry(name: string, { manifests }: Index, host: Platform): Descriptor {
  const ranked = manifests
    .map((entry) => ({ entry, rank: entry.platform && rankPlatform(host, entry.platform) }))
    .flatMap(({ entry, rank }) => (rank === undefined ? [] : [{ entry, rank }]))
    .toSorted((a, b) => a.rank - b.rank);
  const offered = manifests.map(({ platform }) => (platform === undefined ? "?" : formatPlatform(platform)));
  return ranked[0]?.entry ?? refuse(name, formatPlatform(host), offered.join(", "));
}

function refuse(name: string, asked: string, offered: string): never {
  throw new ContainerdError(`image ${name} is not for ${asked}; it is for: ${offered}`, {
    kind: "not-found",
  });
}

async function readDocument(
  content: Content,
  descriptor: Descriptor,
  { signal }: ExportOptions,
): Promise<Index | Manifest> {
  const bytes = await content.readAll(descriptor.digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
  return parseIndexOrManifest(descriptor, bytes);
}
