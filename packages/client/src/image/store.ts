import type { Image as WireImage } from "@wfe-containerd/proto/services/images";
import { type CallOptions, callService } from "../call.js";
import { type Content, createContent } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { checkLabels } from "../identifier.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import type { Introspection } from "../introspection.js";
import type { Leases } from "../lease/lease.js";
import { underLease } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Platform } from "../oci/platform.js";
import { normalizeReference, parseReference } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import { createSnapshots, type Snapshots } from "../snapshot.js";
import { askByName, findImage, type Image, toImage } from "./record.js";
import { type ResolvedImage, resolveTarget } from "./resolve.js";
import { type UnpackOptions, unpackImage } from "./unpack.js";
import { walkImage } from "./walk.js";

/** Options of `Images.resolve`. */
export interface ResolveImageOptions extends CallOptions {
  /**
   * The platform to choose.
   *
   * @default the daemon's own
   */
  readonly platform?: Platform | undefined;
}

/** Options of `Images.remove`. */
export interface RemoveImageOptions extends CallOptions {
  /**
   * Wait until a garbage collection has removed what nothing else needs.
   *
   * @default false
   */
  readonly sync?: boolean | undefined;
}

/**
 * The images of a daemon. You may give an image by its name, such as `alpine`, or by its record. A name finds
 * the record with exactly that name first, then the one with its full name. New names are always stored in
 * full.
 */
export interface ImageStore {
  /**
   * Reads an image's record.
   *
   * @throws ContainerdError `not-found`.
   */
  get(name: string, options?: CallOptions): Promise<Image>;
  /**
   * Lists the images. With filters, in containerd's filter language, an image is listed if any filter
   * matches.
   */
  list(filters?: readonly string[], options?: CallOptions): Promise<Image[]>;
  /**
   * Records a name for content. An existing name then points at the new content.
   *
   * @throws ContainerdError `invalid-argument` when the name has another digest than the target.
   */
  put(
    name: string,
    target: Descriptor,
    labels?: Readonly<Record<string, string>>,
    options?: CallOptions,
  ): Promise<Image>;
  /**
   * Gives an image a second name.
   *
   * @throws ContainerdError `not-found`.
   */
  tag(source: string | Image, target: string, options?: CallOptions): Promise<Image>;
  /**
   * Removes an image's record. A later garbage collection removes content that nothing else needs.
   *
   * @throws ContainerdError `not-found`.
   */
  remove(image: string | Image, options?: RemoveImageOptions): Promise<void>;
  /**
   * Finds the manifest, config and chain ID for one platform.
   *
   * @throws ContainerdError `not-found` when the image does not exist, or is not for that platform.
   */
  resolve(image: string | Image, options?: ResolveImageOptions): Promise<ResolvedImage>;
  /** Whether all layers of the image are unpacked for the client's snapshotter. */
  isUnpacked(image: ResolvedImage, options?: CallOptions): Promise<boolean>;
  /**
   * Unpacks the layers with the client's snapshotter. Layers that are already unpacked stay. It works under
   * the client's lease, or under its own lease if the client has none.
   */
  unpack(image: ResolvedImage, options?: UnpackOptions): Promise<void>;
}

/** The parts of the client that image functions use. */
export interface ImageParts {
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly leases: Leases;
  readonly introspection: Introspection;
}

export function createImageStore(context: Context, parts: ImageParts): ImageStore {
  const { images } = context.services;
  const { content, snapshots, introspection } = parts;

  /** As `askByName`. An error for an image that is missing says what to do. */
  async function askStore<T>(text: string, ask: (name: string) => Promise<T>): Promise<T> {
    try {
      return await askByName(text, ask);
    } catch (reason) {
      if (!isContainerdError(reason, "not-found")) throw reason;
      throw new ContainerdError(
        `image ${text} is not found in the namespace ${context.namespace}; pull or import it first, or check its name`,
        { kind: "not-found", cause: reason.cause },
      );
    }
  }

  function get(text: string, options?: CallOptions): Promise<Image> {
    return askStore(text, (name) =>
      callService(`get image ${name}`, async () =>
        toImage((await images.get({ name }, options)).image as WireImage),
      ),
    );
  }

  async function put(
    name: string,
    target: Descriptor,
    labels: Readonly<Record<string, string>> = {},
    options?: CallOptions,
  ): Promise<Image> {
    const { mediaType, digest, size } = target;
    const named = parseReference(name).digest;
    if (named !== undefined && named !== digest) {
      refuse(
        `name: ${name} has another digest than the image, ${digest}`,
        "a name without a digest, or with this digest",
      );
    }
    const image = { name, labels: checkLabels(labels), target: { mediaType, digest, size: BigInt(size) } };
    return callService(`name ${digest} ${name}`, async () => {
      // Another client may create or remove the record between any two of these calls.
      for (;;) {
        try {
          return toImage(
            (await callService("create", () => images.create({ image }, options))).image as WireImage,
          );
        } catch (reason) {
          if (!isContainerdError(reason, "already-exists")) throw reason;
        }
        try {
          const updateMask = { paths: ["target", ...Object.keys(labels).map((label) => `labels.${label}`)] };
          return toImage(
            (await callService("update", () => images.update({ image, updateMask }, options)))
              .image as WireImage,
          );
        } catch (reason) {
          if (!isContainerdError(reason, "not-found")) throw reason;
        }
      }
    });
  }

  async function resolve(
    image: string | Image,
    { platform, ...options }: ResolveImageOptions = {},
  ): Promise<ResolvedImage> {
    const { name, target } = await findImage({ get }, image, options);
    const walk = walkImage(content, target, options);
    return resolveTarget(walk, name, platform ?? (await introspection.daemonPlatform(options)));
  }

  async function unpack(image: ResolvedImage, options: UnpackOptions = {}): Promise<void> {
    // The image's config refers to the snapshots only at the end. Until then only a lease protects them from
    // garbage collection.
    await callService(`unpack image ${image.name}`, () =>
      underLease({ context, leases: parts.leases }, "unpack", options, (leased) =>
        unpackImage(
          { context: leased, content: createContent(leased), snapshots: createSnapshots(leased) },
          image,
          options,
        ),
      ),
    );
  }

  return {
    get,
    list: (filters = [], options) =>
      callService("list images", async () =>
        (await images.list({ filters: [...filters] }, options)).images.map(toImage),
      ),
    put: (name, target, labels, options) => put(normalizeReference(name), target, labels, options),
    async tag(source, target, options) {
      const image = await findImage({ get }, source, options);
      return put(normalizeReference(target), image.target, image.labels, options);
    },
    async remove(image, { sync = false, ...options } = {}) {
      const remove = (name: string): Promise<unknown> =>
        callService(`remove image ${name}`, () => images.delete({ name, sync }, options));
      await (typeof image === "string" ? askStore(image, remove) : remove(image.name));
    },
    resolve,
    async isUnpacked({ chainId }, options) {
      if (chainId === "") return true;
      return (await ignoreNotFound(snapshots.stat(chainId, options))) !== undefined;
    },
    unpack,
  };
}
