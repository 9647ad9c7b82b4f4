import { ContainerdError } from "../error.js";
import { chainId } from "../oci/chain-id.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { ImageConfig } from "../oci/manifest.js";
import { isLayer } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { chooseManifest } from "./choose.js";
import type { ImageWalk } from "./walk.js";

/** An image, narrowed to one platform. */
export interface ResolvedImage {
  readonly name: string;
  /** What the name points at: an index, or a manifest. */
  readonly target: Descriptor;
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** What else the manifest lists among its layers, and nobody unpacks: signatures, attestations. */
  readonly artifacts: readonly Descriptor[];
  readonly configDescriptor: Descriptor;
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** The parent of a container's snapshot; empty for an image without layers. */
  readonly chainId: string;
}

/**
 * The image that {@link chooseManifest} chooses for a platform, with its config and layers. What an index says of a manifest's platform counts, as it does
 * for containerd, whatever the manifest's config says. Where there is no index, the config's word does: a manifest for another platform is refused
 * here, which containerd 1.6 pulls, to fail with an exec format error.
 *
 * @throws ContainerdError `not-found` that names both platforms.
 */
export async function resolveTarget(walk: ImageWalk, name: string, host: Platform): Promise<ResolvedImage> {
  const { descriptor, document, config, platform } = await chooseManifest(walk, host, name);
  const layers = document.layers.filter(({ mediaType }) => isLayer(mediaType));
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    throw new ContainerdError(
      `image ${name} has ${layers.length} layers, and its config lists ${diffIds.length}; allowed: as many diff_ids as layers`,
      { kind: "invalid-argument" },
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
