import type { Descriptor } from "../oci/descriptor.js";
import { isNonDistributable } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { resolveTarget } from "./resolve.js";
import type { ImageWalk } from "./walk.js";

/**
 * Lists the blobs of an image for some platforms, or for all that its index lists. It reads the image's
 * documents itself, so the content store need not have them before. Layers that must not be passed on are
 * left out: only a client that unpacks them needs them. Entries that are neither indexes nor manifests are
 * left out too: nobody knows where a registry stores them.
 *
 * @throws ContainerdError `not-found` when the image does not support one of the platforms.
 */
export async function blobsFor(
  walk: ImageWalk,
  name: string,
  platforms: "all" | readonly Platform[],
): Promise<Descriptor[]> {
  const blobs: Descriptor[] = [];
  if (platforms === "all") blobs.push(...(await allBlobs(walk)));
  else
    for (const platform of platforms) {
      const found = await resolveTarget(walk, name, platform);
      blobs.push(...found.layers, ...found.artifacts);
    }
  return blobs.filter(({ mediaType }) => !isNonDistributable(mediaType));
}

async function allBlobs(walk: ImageWalk): Promise<Descriptor[]> {
  const blobs: Descriptor[] = [];
  for await (const node of walk.nodes()) {
    if (node.kind === "missing" || node.kind === "broken") throw node.problem;
    if (node.kind === "manifest") blobs.push(node.document.config, ...node.document.layers);
  }
  return blobs;
}
