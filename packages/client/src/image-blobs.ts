import type { CallOptions } from "./call.js";
import type { Content } from "./content.js";
import { ContainerdError } from "./error.js";
import { MAX_INDEX_DEPTH, resolveTarget } from "./image-resolve.js";
import type { Descriptor } from "./oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "./oci/manifest.js";
import { isNonDistributable } from "./oci/media-type.js";
import type { Platform } from "./oci/platform.js";

/**
 * What an image is made of for some platforms, or for all that its index lists. On the way there it reads the documents, which need not be here before
 * they are read. Layers that are not to be passed on are left out: they are for who unpacks them.
 *
 * @throws ContainerdError `not-found` for a platform that the image is not for.
 */
export async function blobsFor(
  content: Content,
  image: { readonly name: string; readonly target: Descriptor },
  platforms: "all" | readonly Platform[],
  options: CallOptions,
): Promise<Descriptor[]> {
  const blobs: Descriptor[] = [];
  if (platforms === "all") await collect(content, image.target, blobs, { ...options, depth: 0 });
  else
    for (const platform of platforms) {
      const found = await resolveTarget(content, image.name, image.target, platform, options);
      blobs.push(...found.layers, ...found.artifacts);
    }
  return blobs.filter(({ mediaType }) => !isNonDistributable(mediaType));
}

async function collect(
  content: Content,
  descriptor: Descriptor,
  found: Descriptor[],
  { depth, signal }: CallOptions & { readonly depth: number },
): Promise<void> {
  const { digest } = descriptor;
  if (depth > MAX_INDEX_DEPTH) {
    throw new ContainerdError(`index ${digest} lies more than ${MAX_INDEX_DEPTH} indexes deep`, {
      kind: "invalid-argument",
    });
  }
  const bytes = await content.readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
  const document = parseIndexOrManifest(descriptor, bytes);
  if (isIndexDocument(document))
    for (const child of document.manifests)
      await collect(content, child, found, { depth: depth + 1, signal });
  else found.push(document.config, ...document.layers);
}
