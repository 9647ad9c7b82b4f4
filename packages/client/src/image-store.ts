import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Image as WireImage } from "@wfe-containerd/proto/services/images";
import { type CallOptions, call } from "./call.js";
import { type Content, createContent } from "./content.js";
import type { Context } from "./context.js";
import { ContainerdError, isContainerdError } from "./error.js";
import { checkLabels } from "./identifier.js";
import { type ResolvedImage, resolveTarget } from "./image-resolve.js";
import type { Introspection } from "./introspection.js";
import type { Leases } from "./lease.js";
import type { Descriptor } from "./oci/descriptor.js";
import type { Platform } from "./oci/platform.js";
import { normalizeReference } from "./oci/reference.js";
import { createSnapshots, type Snapshots } from "./snapshot.js";
import { type UnpackOptions, unpackImage } from "./unpack.js";
import { beginWork } from "./work-lease.js";

/** A name for content. */
export interface Image {
  /** In full: `docker.io/library/alpine:latest`. */
  readonly name: string;
  readonly target: Descriptor;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ResolveImageOptions extends CallOptions {
  /** Default: the daemon's own. */
  readonly platform?: Platform;
}

export interface RemoveImageOptions extends CallOptions {
  /** Answer only after a garbage collection has taken what nothing else needs. Default `false`. */
  readonly sync?: boolean;
}

/** The images that a daemon has. Names may be given as people write them: `alpine`. */
export interface ImageStore {
  /** @throws ContainerdError `not-found`. */
  get(name: string, options?: CallOptions): Promise<Image>;
  list(filters?: readonly string[], options?: CallOptions): Promise<Image[]>;
  /** Gives content a name, or a name other content. */
  put(
    name: string,
    target: Descriptor,
    labels?: Readonly<Record<string, string>>,
    options?: CallOptions,
  ): Promise<Image>;
  /** Gives an image a second name. @throws ContainerdError `not-found`. */
  tag(source: string, target: string, options?: CallOptions): Promise<Image>;
  /** @throws ContainerdError `not-found`. */
  remove(name: string, options?: RemoveImageOptions): Promise<void>;
  /**
   * The manifest, config and chain ID for one platform.
   *
   * @throws ContainerdError `not-found` when there is no such image, or none for that platform.
   */
  resolve(name: string, options?: ResolveImageOptions): Promise<ResolvedImage>;
  isUnpacked(image: ResolvedImage, options?: CallOptions): Promise<boolean>;
  /** Unpacks the layers for the client's snapshotter; those that are there stay. Under the client's lease, or one of its own. */
  unpack(image: ResolvedImage, options?: UnpackOptions): Promise<void>;
}

/** The nouns that images are made with. */
export interface ImageParts {
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly leases: Leases;
  readonly introspection: Introspection;
}

export function createImageStore(context: Context, parts: ImageParts): ImageStore {
  const { images } = context.services;
  const { content, snapshots, introspection } = parts;

  async function get(name: string, options?: CallOptions): Promise<Image> {
    const full = normalizeReference(name);
    return call(`get image ${full}`, async () =>
      toImage((await images.get({ name: full }, options)).image as WireImage),
    );
  }

  async function put(
    name: string,
    target: Descriptor,
    labels: Readonly<Record<string, string>> = {},
    options?: CallOptions,
  ): Promise<Image> {
    const { mediaType, digest, size } = target;
    const image = { name, labels: checkLabels(labels), target: { mediaType, digest, size: BigInt(size) } };
    return call(`name ${digest} ${name}`, async () => {
      // Somebody else may create or remove the record between any two of these.
      for (;;) {
        try {
          return toImage((await call("create", () => images.create({ image }, options))).image as WireImage);
        } catch (reason) {
          if (!isContainerdError(reason, "already-exists")) throw reason;
        }
        try {
          const updateMask = { paths: ["target", ...Object.keys(labels).map((label) => `labels.${label}`)] };
          return toImage(
            (await call("update", () => images.update({ image, updateMask }, options))).image as WireImage,
          );
        } catch (reason) {
          if (!isContainerdError(reason, "not-found")) throw reason;
        }
      }
    });
  }

  async function resolve(
    name: string,
    { platform, ...options }: ResolveImageOptions = {},
  ): Promise<ResolvedImage> {
    const image = await get(name, options);
    return resolveTarget(
      content,
      image.name,
      image.target,
      platform ?? (await introspection.daemonPlatform(options)),
      options,
    );
  }

  async function unpack(image: ResolvedImage, options?: UnpackOptions): Promise<void> {
    if (context.leaseId !== undefined) return unpackImage({ context, content, snapshots }, image, options);
    // Until the image's config refers to them, nothing else keeps the snapshots from a garbage collection.
    await using work = await beginWork({ context, leases: parts.leases }, "unpack", options);
    const leased = work.context;
    await unpackImage(
      { context: leased, content: createContent(leased), snapshots: createSnapshots(leased) },
      image,
      options,
    );
  }

  return {
    get,
    list: (filters = [], options) =>
      call("list images", async () =>
        (await images.list({ filters: [...filters] }, options)).images.map(toImage),
      ),
    put: (name, target, labels, options) => put(normalizeReference(name), target, labels, options),
    async tag(source, target, options) {
      const image = await get(source, options);
      return put(normalizeReference(target), image.target, image.labels, options);
    },
    async remove(name, { sync = false, ...options } = {}) {
      const full = normalizeReference(name);
      await call(`remove image ${full}`, () => images.delete({ name: full, sync }, options));
    },
    resolve,
    async isUnpacked({ chainId }, options) {
      if (chainId === "") return true;
      return snapshots.stat(chainId, options).then(
        () => true,
        (reason: unknown) => {
          if (isContainerdError(reason, "not-found")) return false;
          throw reason;
        },
      );
    },
    unpack,
  };
}

function toImage({ name, target, labels, createdAt, updatedAt }: WireImage): Image {
  if (target === undefined)
    throw new ContainerdError(`image ${name} points at nothing`, { kind: "data-loss" });
  const date = (time: WireImage["createdAt"]): Date =>
    time === undefined ? new Date(0) : timestampDate(time);
  return {
    name,
    target: { mediaType: target.mediaType, digest: target.digest, size: Number(target.size) },
    labels,
    createdAt: date(createdAt),
    updatedAt: date(updatedAt),
  };
}
