import type { Content } from "../content/content.js";
import { ContainerdError } from "../error.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { type ChosenManifest, checkPlatforms, chooseManifest } from "../image/choose.js";
import type { Image } from "../image/record.js";
import { type ImageNode, type IndexNode, type ManifestNode, walkImage } from "../image/walk.js";
import type { Descriptor } from "../oci/descriptor.js";
import { digestOf } from "../oci/digest.js";
import { isNonDistributable } from "../oci/media-type.js";
import { formatPlatform, type Platform } from "../oci/platform.js";

/** A manifest or index, with the blobs that it needs. */
export interface ImagePart {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** Without layers that may not be distributed. */
  readonly blobs: readonly Descriptor[];
}

export interface ImagePartsToPush {
  readonly target: Descriptor;
  readonly parts: readonly ImagePart[];
}

/**
 * Collects the parts of an image from the content store.
 *
 * @param platforms which platforms of an index: for one, its manifest; for several, a new index with only
 * their manifests. Default: all.
 * @returns the target to push, and its parts, children first.
 * @throws ContainerdError `failed-precondition` if the content store lacks a part; `not-found` if the image
 * does not support a platform.
 */
export async function collectParts(
  content: Content,
  { name, target }: Pick<Image, "name" | "target">,
  { platforms, signal }: { platforms?: readonly Platform[] | undefined; signal: AbortSignal },
): Promise<ImagePartsToPush> {
  const walk = walkImage(content, target, { signal });
  if (platforms === undefined) {
    const nodes = new Map<string, ImageNode>();
    for await (const node of walk.nodes()) nodes.set(node.descriptor.digest, node);
    return { target, parts: await childrenFirst(content, target, nodes, signal) };
  }
  checkPlatforms(platforms);
  const chosen = new Map<string, ChosenManifest>();
  for (const platform of platforms) {
    const found = await chooseManifest(walk, platform, name);
    if (!chosen.has(found.descriptor.digest)) chosen.set(found.descriptor.digest, found);
  }
  const parts = [...chosen.values()].map(manifestPart);
  const [only] = chosen.values();
  if (only !== undefined && chosen.size === 1) return { target: only.descriptor, parts };
  const index = reduceIndex(target, [...chosen.values()]);
  return { target: index.descriptor, parts: [...parts, index] };
}

async function childrenFirst(
  content: Content,
  target: Descriptor,
  nodes: ReadonlyMap<string, ImageNode>,
  signal: AbortSignal,
): Promise<ImagePart[]> {
  const parts = new Map<string, ImagePart>();

  async function add(digest: string): Promise<void> {
    const node = nodes.get(digest);
    if (node === undefined || parts.has(digest)) return;
    if (node.kind === "manifest") parts.set(digest, manifestPart(node));
    else if (node.kind === "index") {
      for (const child of node.document.manifests) await add(child.digest);
      parts.set(digest, { ...node, blobs: await othersOf(content, node, nodes, signal) });
    } else if (node.kind === "missing") throw missing(node.descriptor, node.problem);
    else if (node.kind === "broken" || digest === target.digest) throw node.problem;
  }

  await add(target.digest);
  return [...parts.values()];
}

/**
 * Returns entries that are neither indexes nor manifests. Those that the content store lacks are left out:
 * the registry may have them, or accept the index without them.
 */
async function othersOf(
  content: Content,
  { document }: IndexNode,
  nodes: ReadonlyMap<string, ImageNode>,
  signal: AbortSignal,
): Promise<Descriptor[]> {
  const others: Descriptor[] = [];
  for (const entry of document.manifests) {
    if (nodes.get(entry.digest)?.kind !== "other") continue;
    const info = await ignoreNotFound(content.info(entry.digest, { signal }));
    if (info !== undefined) others.push(entry);
  }
  return others;
}

function manifestPart({ descriptor, document, bytes }: ManifestNode): ImagePart {
  const layers = document.layers.filter(({ mediaType }) => !isNonDistributable(mediaType));
  return { descriptor, bytes, blobs: [document.config, ...layers] };
}

function missing({ digest, platform }: Descriptor, cause: ContainerdError): ContainerdError {
  const purpose = platform === undefined ? "" : `, for ${formatPlatform(platform)},`;
  return new ContainerdError(
    `${digest}${purpose} is not in the content store; allowed: platforms that it has, or every platform after a pull for all platforms`,
    { kind: "failed-precondition", cause },
  );
}

/**
 * Returns the image's index with only these manifests, in the order of the index. It is a new document with a
 * new digest.
 */
function reduceIndex({ mediaType }: Descriptor, chosen: readonly ChosenManifest[]): ImagePart {
  const digests = new Set(chosen.map(({ descriptor }) => descriptor.digest));
  const root = parseRaw(chosen[0]?.path[0] as IndexNode);
  const indexes = new Map(
    chosen.map(({ path }) => path.at(-1) as IndexNode).map((each) => [each.descriptor.digest, each]),
  );
  const manifests = [...indexes.values()].flatMap((index) =>
    parseRaw(index).manifests.filter(({ digest }) => digests.has(digest)),
  );
  const bytes = Buffer.from(JSON.stringify({ ...root, manifests }));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  return { descriptor, bytes, blobs: [] };
}

function parseRaw({ bytes }: IndexNode): { manifests: { digest: string }[] } {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
