import { chainId } from "../oci/chain-id.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { ImageConfig } from "../oci/manifest.js";
import { isLayer } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { refuse } from "../refuse.js";
import { chooseManifest } from "./choose.js";
import type { ImageWalk } from "./walk.js";

/** An image for one platform. */
export interface ResolvedImage {
  readonly name: string;
  /** The index or manifest that the name points at. */
  readonly target: Descriptor;
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** Entries among the manifest's layers that are not unpacked: signatures, attestations. */
  readonly artifacts: readonly Descriptor[];
  readonly configDescriptor: Descriptor;
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** The parent for a container's snapshot. Empty for an image without layers. */
  readonly chainId: string;
}

/**
 * Resolves an image to the manifest, config and layers for one platform, by {@link chooseManifest}. As in
 * containerd, the platform in an index counts, whatever the manifest's config says. Without an index the
 * config decides: a manifest for another platform is refused. containerd 1.6 would pull it, and running it
 * would fail with an exec format error.
 *
 * @throws ContainerdError `not-found` that names both platforms.
 */
export async function resolveTarget(walk: ImageWalk, name: string, host: Platform): Promise<ResolvedImage> {
  const { descriptor, document, config, platform } = await chooseManifest(walk, host, name);
  const layers = document.layers.filter(({ mediaType }) => isLayer(mediaType));
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    refuse(
      `image ${name} has ${layers.length} layers, but its config lists ${diffIds.length}`,
      "as many diff_ids as layers",
    );
  }
  return {
    name,
    target: walk.target,
    manifest: descriptor,
    layers,
    artifacts: document.layers.filter(({ mediaType }) => !isLayer(mediaType)),
    configDescriptor: document.config,
    config,
    platform,
    diffIds,
    chainId: chainId(diffIds),
  };
}
