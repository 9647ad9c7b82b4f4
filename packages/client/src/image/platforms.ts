import type { CallOptions } from "../call.js";
import type { Content } from "../content/content.js";
import type { Descriptor } from "../oci/descriptor.js";
import { type ImageConfig, isImageManifest } from "../oci/manifest.js";
import { formatPlatform, normalizePlatform, type Platform } from "../oci/platform.js";
import { isNoPlatform, platformOf } from "./choose.js";
import { isAboutDocument, type ManifestNode, walkImage } from "./walk.js";

/**
 * See `Images.platforms`.
 *
 * @param host the platform of an image that does not name one.
 */
export async function storedPlatforms(
  content: Content,
  target: Descriptor,
  host: Platform,
  options: CallOptions = {},
): Promise<Platform[]> {
  const walk = walkImage(content, target, options);
  const entries: Descriptor[] = [target];
  const configs = new Map<string, ImageConfig>();

  async function lookAt({ descriptor, document }: ManifestNode): Promise<void> {
    if (!isImageManifest(document)) return;
    for (const layer of document.layers) await content.info(layer.digest, options);
    configs.set(descriptor.digest, await walk.readConfig(document));
  }

  for await (const node of walk.nodes()) {
    if (node.kind === "index") entries.push(...node.document.manifests);
    // A broken or missing image is skipped.
    if (node.kind === "manifest")
      await lookAt(node).catch((reason: unknown) => {
        if (!isAboutDocument(reason)) throw reason;
      });
  }
  // An index may list one manifest for several platforms.
  const found = new Map<string, Platform>();
  for (const entry of entries) {
    const config = configs.get(entry.digest);
    if (config === undefined) continue;
    const platform = normalizePlatform(platformOf(entry, config, host));
    if (!isNoPlatform(platform)) found.set(formatPlatform(platform), platform);
  }
  return [...found.values()];
}
