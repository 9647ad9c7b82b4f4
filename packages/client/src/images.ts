import { CALL_OPTIONS, type CallOptions } from "./call.js";
import type { Context } from "./context.js";
import { type ExportOptions, exportImages } from "./image/export.js";
import { type ReadFilesOptions, readImageFiles } from "./image/file.js";
import { type ImportOptions, importImages } from "./image/import.js";
import { storedPlatforms } from "./image/platforms.js";
import { type PruneOptions, pruneImages } from "./image/prune.js";
import { findImage, type Image } from "./image/record.js";
import type { ResolvedImage } from "./image/resolve.js";
import { createImageStore, type ImageParts, type ImageStore } from "./image/store.js";
import { type ImageUsage, imageUsage } from "./image/usage.js";
import type { Platform } from "./oci/platform.js";
import type { NounOptions, OptionNames } from "./options.js";
import { REGISTRY_OPTIONS, type RegistryOptions } from "./registry/repository.js";
import { type PullOptions, pullImage } from "./transfer/pull.js";
import { type PushedImage, type PushOptions, pushImage } from "./transfer/push.js";

/** containerd's images (`services/images/v1`): list, pull, push, import, export and more. */
export interface Images extends ImageStore {
  /**
   * Pulls an image: fetches it from its registry, verifies and unpacks it, and then records its name. Blobs
   * that the content store already has are not fetched. If another client is fetching a blob, this call waits
   * for it. If anything fails, no partial content is left.
   *
   * @param name the image's name, in short or in full: `alpine`, `registry.example.com:5000/app:1.2`,
   * `app@sha256:…`. If the policy allows a local image, its record may have exactly this name, as for
   * {@link ImageStore.get}. A registry is always asked for the full name.
   * @throws ContainerdError `not-found`, `unauthenticated`, `permission-denied`, `unavailable`,
   * `resource-exhausted`, `data-loss`, `canceled`. An error that comes from a registry's answer has a
   * {@link RegistryFailure} as its cause.
   * @example
   * ```
   * const image = await client.images.pull("alpine:3.20");
   * ```
   */
  pull(name: string, options?: PullOptions): Promise<ResolvedImage>;
  /**
   * Pushes an image to its registry, or with another name to another registry. Blobs that the registry
   * already has are not sent. Blobs that the registry has in another repository are mounted from there.
   * Layers with a `nondistributable` or `foreign` media type are left out, because they must not be passed
   * on.
   *
   * @throws ContainerdError `not-found`; `failed-precondition` when the content store does not have a
   * platform; and the kinds of {@link pull}.
   */
  push(image: string | Image, options?: PushOptions): Promise<PushedImage>;
  /**
   * Removes the images that no container of the namespace uses. Images with the label
   * `io.cri-containerd.pinned` stay.
   */
  prune(options?: PruneOptions): Promise<Image[]>;
  /**
   * The disk space that an image takes on the daemon, and its problems, if any.
   *
   * @throws ContainerdError `not-found` when no image has that name.
   */
  usage(image: string | Image, options?: CallOptions): Promise<ImageUsage>;
  /**
   * The platforms for which the content store has the complete image, in the order of the image's index.
   *
   * @throws ContainerdError `not-found`.
   */
  platforms(image: string | Image, options?: CallOptions): Promise<Platform[]>;
  /**
   * Imports the images of an archive: an OCI layout or the output of `docker save`, as a tar. The tar may be
   * compressed with gzip or zstd.
   *
   * @example
   * ```
   * await client.images.import(createReadStream("app.tar"));
   * ```
   */
  import(source: AsyncIterable<Uint8Array>, options?: ImportOptions): Promise<Image[]>;
  /**
   * Exports images as an OCI layout in a tar, which you read as a stream. The same images give the same
   * bytes. An index is written unchanged. Of the images that it lists, only those in the content store are
   * written, or with `platforms` the best match for each platform.
   *
   * @throws ContainerdError `not-found` before the first byte, when an image does not exist or the content
   * store lacks a part of it.
   * @example
   * ```
   * await pipeline(client.images.export("app:1"), createWriteStream("app.tar"));
   * ```
   */
  export(
    images: string | Image | readonly (string | Image)[],
    options?: ExportOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * Reads small files of an unpacked image, by absolute path, as a process in its container sees them. Files
   * that do not exist are left out of the result.
   *
   * @throws ContainerdError `failed-precondition` when the image is not unpacked; `invalid-argument` when a
   * path is a directory or a device, or leads into a loop of links; `out-of-range` when a file is larger than
   * `maxBytes`.
   * @example
   * ```
   * const files = await client.images.readFiles(image, ["/etc/passwd"], { maxBytes: 1024 ** 2 });
   * ```
   */
  readFiles(
    image: Pick<ResolvedImage, "name" | "chainId">,
    paths: readonly string[],
    options: ReadFilesOptions,
  ): Promise<Map<string, Uint8Array>>;
}

const TRANSFER: OptionNames<RegistryOptions & CallOptions> = { ...CALL_OPTIONS, ...REGISTRY_OPTIONS };

export const IMAGES_OPTIONS: NounOptions<Images> = {
  get: ["1", CALL_OPTIONS],
  list: ["1", CALL_OPTIONS],
  put: ["3", CALL_OPTIONS],
  tag: ["2", CALL_OPTIONS],
  remove: ["1", { ...CALL_OPTIONS, sync: true }],
  resolve: ["1", { ...CALL_OPTIONS, platform: true }],
  isUnpacked: ["1", CALL_OPTIONS],
  unpack: ["1", { ...CALL_OPTIONS, onLayer: true, beforeLayer: true, maxUnpackedBytes: true }],
  pull: [
    "1",
    {
      ...TRANSFER,
      platform: true,
      platforms: true,
      policy: true,
      via: true,
      maxConcurrentLayers: true,
      maxUnpackedBytes: true,
      onProgress: true,
      verify: true,
    },
  ],
  push: [
    "1",
    {
      ...TRANSFER,
      as: true,
      platforms: true,
      maxConcurrentBlobs: true,
      chunkBytes: true,
      onProgress: true,
    },
  ],
  prune: ["0", { ...CALL_OPTIONS, until: true, filters: true, dryRun: true }],
  usage: ["1", CALL_OPTIONS],
  platforms: ["1", CALL_OPTIONS],
  import: [
    "1",
    {
      ...CALL_OPTIONS,
      name: true,
      baseName: true,
      unpack: true,
      maxUnpackedBytes: true,
      onProgress: true,
    },
  ],
  export: ["1", { platforms: true, signal: true }, "throws"],
  readFiles: ["2", { maxBytes: true, hiddenPaths: true, signal: true }],
};

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
      return storedPlatforms(content, target, await introspection.daemonPlatform(options), options);
    },
    push: (image, options) => pushImage({ context, content, leases, images }, image, options),
    pull: (name, options) => pullImage({ context, ...parts, images }, name, options),
  };
}
