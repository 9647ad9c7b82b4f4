import type { CallOptions } from "./call.js";
import { isContainerdError } from "./error.js";
import type { Image } from "./image-record.js";
import type { ImageParts } from "./image-store.js";
import { chainIds } from "./oci/chain-id.js";
import type { Descriptor } from "./oci/descriptor.js";
import {
  isIndexDocument,
  MAX_DOCUMENT_BYTES,
  parseImageConfig,
  parseIndexOrManifest,
} from "./oci/manifest.js";
import { isImageConfig } from "./oci/media-type.js";

/** What an image takes on the daemon's disk. What it shares with other images is counted for each of them. */
export interface ImageUsage {
  /** Manifests, configs and packed layers, of all platforms that are here, in bytes. */
  readonly contentBytes: number;
  /** Unpacked layers, in bytes. */
  readonly snapshotBytes: number;
  /** How many unpacked layers there are. */
  readonly snapshots: number;
}

export async function imageUsage(
  { content, snapshots }: Pick<ImageParts, "content" | "snapshots">,
  image: Image,
  options: CallOptions = {},
): Promise<ImageUsage> {
  const sizes = new Map<string, number>();
  const chains = new Set<string>();

  async function walk(descriptor: Descriptor): Promise<void> {
    if (!(await count(descriptor))) return;
    const bytes = await content.readAll(descriptor.digest, {
      maxBytes: MAX_DOCUMENT_BYTES,
      signal: options.signal,
    });
    const document = parseIndexOrManifest(descriptor, bytes);
    if (isIndexDocument(document)) {
      for (const child of document.manifests) await walk(child);
      return;
    }
    for (const layer of document.layers) await count(layer);
    const { digest, mediaType } = document.config;
    if (!(await count(document.config)) || !isImageConfig(mediaType)) return;
    const config = await content.readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal: options.signal });
    for (const chain of chainIds(parseImageConfig(digest, config).rootfs.diff_ids)) chains.add(chain);
  }

  /** Whether it is here. */
  async function count({ digest }: Descriptor): Promise<boolean> {
    if (sizes.has(digest)) return true;
    const info = await orMissing(content.info(digest, options));
    if (info === undefined) return false;
    sizes.set(digest, info.size);
    return true;
  }

  await walk(image.target);
  const usages = await Promise.all([...chains].map((chain) => orMissing(snapshots.usage(chain, options))));
  const unpacked = usages.filter((usage) => usage !== undefined);
  return {
    contentBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    snapshotBytes: unpacked.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    snapshots: unpacked.length,
  };
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((reason: unknown) => {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  });
}
