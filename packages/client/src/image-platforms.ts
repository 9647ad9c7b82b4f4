import type { CallOptions } from "./call.js";
import type { Content } from "./content.js";
import { isContainerdError } from "./error.js";
import type { Descriptor } from "./oci/descriptor.js";
import {
  isIndexDocument,
  MAX_DOCUMENT_BYTES,
  parseImageConfig,
  parseIndexOrManifest,
} from "./oci/manifest.js";
import { isImageConfig } from "./oci/media-type.js";
import { formatPlatform, normalizePlatform, type Platform } from "./oci/platform.js";

/** What builders call the platform of that which is for none: attestations stand in an index so. */
const NONE = "unknown";

/** See `Images.platforms`. */
export async function platformsHere(
  content: Content,
  target: Descriptor,
  { signal }: CallOptions = {},
): Promise<Platform[]> {
  const found = new Map<string, Platform>();

  async function walk(descriptor: Descriptor): Promise<void> {
    const bytes = await content.readAll(descriptor.digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
    const document = parseIndexOrManifest(descriptor, bytes);
    if (isIndexDocument(document)) {
      for (const child of document.manifests) await orMissing(walk(child));
      return;
    }
    const { digest, mediaType } = document.config;
    if (!isImageConfig(mediaType)) return;
    for (const layer of document.layers) await content.info(layer.digest, { signal });
    const config = await content.readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
    const platform = normalizePlatform(descriptor.platform ?? parseImageConfig(digest, config));
    if (platform.os !== NONE) found.set(formatPlatform(platform), platform);
  }

  await orMissing(walk(target));
  return [...found.values()];
}

async function orMissing(asked: Promise<void>): Promise<void> {
  await asked.catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
  });
}
