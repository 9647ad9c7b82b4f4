import type { CallOptions } from "../call.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { chainIds } from "../oci/chain-id.js";
import type { Descriptor } from "../oci/descriptor.js";
import { isImageManifest } from "../oci/manifest.js";
import { isCheckpoint, isLayer } from "../oci/media-type.js";
import { notAnImage } from "./choose.js";
import type { Image } from "./record.js";
import type { ImageParts } from "./store.js";
import { ImageLimitError, type ImageNode, isAboutDocument, type ManifestNode, walkImage } from "./walk.js";

/**
 * The disk space of an image on the daemon. Blobs and layers that images share are counted for each of them.
 */
export interface ImageUsage {
  /** Size in bytes of all manifests, configs and packed layers in the content store, for all platforms. */
  readonly contentBytes: number;
  /** Size in bytes of the unpacked layers. */
  readonly snapshotBytes: number;
  /** Number of unpacked layers. */
  readonly snapshots: number;
  /**
   * Reasons why this is not an ordinary container image, in words: a checkpoint, an artifact, a document that
   * cannot be read. The sizes count what can be counted. Empty for an image that can be run, on this or
   * another platform.
   */
  readonly problems: readonly string[];
}

export async function imageUsage(
  { content, snapshots }: Pick<ImageParts, "content" | "snapshots">,
  { target }: Image,
  options: CallOptions = {},
): Promise<ImageUsage> {
  const walk = walkImage(content, target, options);
  const sizes = new Map<string, number>();
  const chains = new Set<string>();
  const problems = new Set<string>();

  async function lookAt(node: ImageNode): Promise<void> {
    const isTarget = node.descriptor.digest === target.digest;
    if (node.kind === "index" || node.kind === "manifest")
      sizes.set(node.descriptor.digest, node.bytes.byteLength);
    else if (node.kind !== "missing") await count(node.descriptor);
    if (node.kind === "broken" || (isTarget && "problem" in node)) problems.add(node.problem.message);
    if (node.kind === "index" && node.document.manifests.some(({ mediaType }) => isCheckpoint(mediaType)))
      problems.add("a checkpoint of a container");
    if (node.kind === "manifest") await lookAtManifest(node, isTarget);
  }

  async function lookAtManifest({ descriptor, document }: ManifestNode, isTarget: boolean): Promise<void> {
    for (const layer of document.layers) await count(layer);
    const isConfigStored = await count(document.config);
    if (!isImageManifest(document)) {
      if (isTarget) problems.add(notAnImage(descriptor, document).message);
      return;
    }
    if (!isConfigStored) return;
    const diffIds = (await walk.readConfig(document)).rootfs.diff_ids;
    const layers = document.layers.filter(({ mediaType }) => isLayer(mediaType));
    if (layers.length !== diffIds.length)
      problems.add(
        `${descriptor.digest} has ${layers.length} layers, but its config lists ${diffIds.length}`,
      );
    for (const chain of chainIds(diffIds)) chains.add(chain);
  }

  /** Adds a blob's size. False if the content store does not have the blob. */
  async function count({ digest }: Descriptor): Promise<boolean> {
    if (sizes.has(digest)) return true;
    const info = await ignoreNotFound(content.info(digest, options));
    if (info === undefined) return false;
    sizes.set(digest, info.size);
    return true;
  }

  try {
    for await (const node of walk.nodes())
      await lookAt(node).catch((reason: unknown) => {
        if (!isAboutDocument(reason)) throw reason;
        problems.add(reason.message);
      });
  } catch (reason) {
    if (!(reason instanceof ImageLimitError)) throw reason;
    problems.add(reason.message);
  }
  const size = sizes.get(target.digest);
  if (size !== undefined && size !== target.size)
    problems.add(`${target.digest} has ${size} bytes, but the image's record says ${target.size}`);
  const usages = await Promise.all(
    [...chains].map((chain) => ignoreNotFound(snapshots.usage(chain, options))),
  );
  const unpacked = usages.filter((usage) => usage !== undefined);
  return {
    contentBytes: [...sizes.values()].reduce((sum, each) => sum + each, 0),
    snapshotBytes: unpacked.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    snapshots: unpacked.length,
    problems: [...problems],
  };
}
