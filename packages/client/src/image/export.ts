import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Leases } from "../lease/lease.js";
import { beginWork } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkSize } from "../oci/descriptor.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { parseReference } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import { checkPlatforms, chooseManifest } from "./choose.js";
import { findImage, type Image } from "./record.js";
import type { ImageStore } from "./store.js";
import { type ImageNode, type ImageWalk, type IndexNode, type ManifestNode, walkImage } from "./walk.js";

/** Options of `Images.export`. */
export interface ExportOptions {
  /**
   * Export only the best match for each of these platforms.
   *
   * @default everything that the content store has
   */
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
  if (given.length === 0) refuse("images: is empty", "at least one image");
  // Another client may remove an image while we read it, so a lease protects it.
  await using work = await beginWork({ context, leases }, "export");
  const blobs = new Map<string, Descriptor>();
  const entries: object[] = [];
  const found = await Promise.all(given.map((image) => findImage(images, image, { signal })));
  const all = [...new Map(found.map((image) => [image.name, image])).values()].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const { name, target } of all) {
    const walk = walkImage(content, target, { signal });
    for (const blob of await collect(walk, content, name, { platforms, signal })) {
      if (!blobs.has(blob.digest)) await leases.addResource(work.id, { type: "content", id: blob.digest });
      blobs.set(blob.digest, blob);
    }
    const size = blobs.get(target.digest)?.size ?? target.size;
    entries.push({ ...target, size, annotations: annotationsOf(name) });
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

/** containerd reads the full name. Other programs read OCI's annotation, which has only the tag. */
function annotationsOf(name: string): Record<string, string> {
  const tag = tagOf(name);
  return {
    "io.containerd.image.name": name,
    ...(tag !== undefined && { "org.opencontainers.image.ref.name": tag }),
  };
}

/** Undefined for a name that is not a reference: other clients may give such names. */
function tagOf(name: string): string | undefined {
  try {
    return parseReference(name).tag;
  } catch {
    return undefined;
  }
}

/** Lists the blobs of an image to write, parents first. */
async function collect(
  walk: ImageWalk,
  content: Content,
  name: string,
  options: ExportOptions,
): Promise<Descriptor[]> {
  const { platforms } = options;
  return platforms === undefined
    ? collectLocal(walk, content, name, options)
    : collectChosen(walk, content, name, platforms, options);
}

/** Lists the blobs in the content store. Often it has an image for only one of several platforms. */
async function collectLocal(
  walk: ImageWalk,
  content: Content,
  name: string,
  options: ExportOptions,
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  let hasImage = false;
  for await (const node of walk.nodes()) {
    const isTarget = node.descriptor.digest === walk.target.digest;
    if (node.kind === "index") {
      found.push(written(node));
      hasImage ||= node.document.manifests.length === 0;
    } else {
      const blobs = await blobsOf(content, node, options).catch((reason: unknown) => {
        if (isTarget || !isContainerdError(reason, "not-found")) throw reason;
        return [];
      });
      found.push(...blobs);
      hasImage ||= blobs.length > 0;
    }
  }
  if (hasImage) return found;
  throw new ContainerdError(
    `image ${name} is incomplete: the content store has its index, but nothing that the index lists; allowed: an image that was pulled or imported`,
    { kind: "not-found" },
  );
}

async function collectChosen(
  walk: ImageWalk,
  content: Content,
  name: string,
  platforms: readonly Platform[],
  options: ExportOptions,
): Promise<Descriptor[]> {
  checkPlatforms(platforms);
  const found: Descriptor[] = [];
  for (const platform of platforms) {
    const chosen = await chooseManifest(walk, platform, name);
    found.push(...chosen.path.map(written), ...(await blobsOf(content, chosen, options)));
  }
  return found;
}

/** Lists the blobs of a node. An entry of unknown type is one blob, and is exported unchanged. */
async function blobsOf(
  content: Content,
  node: Exclude<ImageNode, IndexNode>,
  { signal }: ExportOptions,
): Promise<Descriptor[]> {
  if (node.kind === "missing") throw node.problem;
  const { digest } = node.descriptor;
  if (node.kind !== "manifest")
    return [{ ...node.descriptor, size: (await content.info(digest, { signal })).size }];
  const { config, layers } = node.document;
  for (const blob of [config, ...layers]) {
    const info = await content.info(blob.digest, { signal });
    checkSize(blob, info.size, "data-loss");
  }
  return [written(node), config, ...layers];
}

/** The document's descriptor, with its actual size: the size in a record may be wrong. */
function written({ descriptor, bytes }: IndexNode | ManifestNode): Descriptor {
  return { ...descriptor, size: bytes.byteLength };
}
