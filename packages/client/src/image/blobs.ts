import type { Descriptor } from "../oci/descriptor.js";
import { isNonDistributable } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { resolveTarget } from "./resolve.js";
import type { ImageWalk } from "./walk.js";

/**
 * What an image is made of for some platforms, or for all that its index lists. On the way it reads the documents, which need not be in the content store
 * before. Layers that are not to be passed on are left out: only who unpacks them needs them. So are entries that are neither indexes nor manifests:
 * nobody knows where a registry has them.
 *
 * @throws ContainerdError `not-found` for a platform that the image is not for.
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
