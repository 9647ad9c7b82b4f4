import type { CallOptions } from "./call.js";
import type { Context } from "./context.js";
import { type ExportOptions, exportImages } from "./image/export.js";
import { type ReadFilesOptions, readImageFiles } from "./image/file.js";
import { type ImportOptions, importImages } from "./image/import.js";
import { platformsHere } from "./image/platforms.js";
import { type PruneOptions, pruneImages } from "./image/prune.js";
import { findImage, type Image } from "./image/record.js";
import type { ResolvedImage } from "./image/resolve.js";
import { createImageStore, type ImageParts, type ImageStore } from "./image/store.js";
import { type ImageUsage, imageUsage } from "./image/usage.js";
import type { Platform } from "./oci/platform.js";
import { type PullOptions, pullImage } from "./transfer/pull.js";
import { type PushedImage, type PushOptions, pushImage } from "./transfer/push.js";

/** containerd's images (`services/images/v1`), and what is done with them. */
export interface Images extends ImageStore {
  /**
   * Brings an image from its registry, verified and unpacked, and gives it its name. Blobs that are here are not fetched, and what others are
   * fetching at the moment is waited for; whatever fails, nothing half-brought is left.
   *
   * @param name as people write it: `alpine`, `registry.example.com:5000/app:1.2`, `app@sha256:…`. Where the policy lets a local image be used, its
   * record may have exactly this name, as {@link ImageStore.get} finds it; a registry is always asked for the full name.
   * @throws ContainerdError `not-found`, `unauthenticated`, `permission-denied`, `unavailable`, `resource-exhausted`, `data-loss`, `canceled`; one that
   * comes from a registry's answer has a {@link RegistryFailure} as its cause.
   */
  pull(name: string, options?: PullOptions): Promise<ResolvedImage>;
  /**
   * Brings an image to its registry, or by another name to another one. Blobs that are there are not sent; those that the registry has in another
   * repository are mounted from it, and layers that are not to be passed on (of a `nondistributable` or `foreign` media type) are left out.
   *
   * @throws ContainerdError `not-found`, `failed-precondition` when a platform is not here, and as {@link pull}.
   */
  push(image: string | Image, options?: PushOptions): Promise<PushedImage>;
  /** Removes the images that no container of the namespace is made of; those with the label `io.cri-containerd.pinned` stay. */
  prune(options?: PruneOptions): Promise<Image[]>;
  /** What an image takes on the daemon's disk, and what is odd about it. @throws ContainerdError `not-found` where no image has that name. */
  usage(image: string | Image, options?: CallOptions): Promise<ImageUsage>;
  /** The platforms for which the content store has all of an image, in the order of its index. @throws ContainerdError `not-found`. */
  platforms(image: string | Image, options?: CallOptions): Promise<Platform[]>;
  /** Brings in the images of an archive: an OCI layout or the output of `docker save`, as a tar, gzipped or not. */
  import(source: AsyncIterable<Uint8Array>, options?: ImportOptions): Promise<Image[]>;
  /**
   * Writes images as an OCI layout in a tar, to be read while it comes: the same images give the same bytes. An index is written unchanged, and of what
   * it lists only what the content store has, or what suits `platforms` best.
   *
   * @throws ContainerdError `not-found` before the first byte, when there is no such image, or when a part of one is not here.
   */
  export(
    images: string | Image | readonly (string | Image)[],
    options?: ExportOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * Small files of an unpacked image, by absolute path, as a process in a container of it sees them; files that the image does not have are left out.
   *
   * @throws ContainerdError `failed-precondition` when the image is not unpacked, `invalid-argument` when it has a directory or a device at a path, or a loop
   * of links; `out-of-range` when a file is larger than `maxBytes`.
   */
  readFiles(
    image: ResolvedImage,
    paths: readonly string[],
    options: ReadFilesOptions,
  ): Promise<Map<string, Uint8Array>>;
}

export function createImages(context: Context, parts: ImageParts): Images {
  const images = createImageStore(context, parts);
  const { content, leases, introspection } = parts;
  return {
    ...images,
    import: (source, options) => importImages({ context, ...parts, put: images.put }, source, options),
    export: (given, options) => exportImages({ context, images, content, leases }, [given].flat(), options),
    readFiles: (image, paths, options) => readImageFiles({ context, leases }, image, paths, options),
    prune: (options) => pruneImages({ context, leases, images }, options),
    usage: async (image, options) => imageUsage(parts, await findImage(images, image, options), options),
    platforms: async (image, options) => {
      const { target } = await findImage(images, image, options);
      return platformsHere(content, target, await introspection.daemonPlatform(options), options);
    },
    push: (image, options) => pushImage({ context, content, leases, images }, image, options),
    pull: (name, options) => pullImage({ context, ...parts, images }, name, options),
  };
}
