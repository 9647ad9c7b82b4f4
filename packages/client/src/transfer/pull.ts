import type { CallOptions } from "../call.js";
import { systemClock } from "../concurrency/clock.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import { createContent } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { blobsFor } from "../image/blobs.js";
import { type ResolvedImage, resolveTarget } from "../image/resolve.js";
import type { ImageParts, ImageStore } from "../image/store.js";
import { unpackImage } from "../image/unpack.js";
import { walkImage } from "../image/walk.js";
import type { LeaseResource } from "../lease/lease.js";
import { beginWork, deleteStaleWork } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Platform } from "../oci/platform.js";
import { formatReference, parseReference, type Reference, withoutCredentials } from "../oci/reference.js";
import { checkCount } from "../registry/count.js";
import { fetchDocument } from "../registry/document.js";
import { createProgressReporter, type TransferProgress } from "../registry/progress.js";
import {
  credentialsFor,
  openRepository,
  type RegistryOptions,
  type Repository,
} from "../registry/repository.js";
import { resolveDescriptor } from "../registry/resolve.js";
import { createSnapshots } from "../snapshot.js";
import { checkDaemonPull, pullByDaemon } from "./daemon-pull.js";
import { createFetchingContent, fetchLayers, type ImageFetch } from "./fetch-image.js";

/**
 * When to ask the registry, as in Kubernetes: each time; only if the daemon does not have the image; never.
 */
export type PullPolicy = "always" | "if-not-present" | "never";

/** Reads from a registry while an image is verified, for example its signatures. */
export interface RegistryReader {
  /**
   * Returns what another tag of the same repository names.
   *
   * @throws ContainerdError `not-found`.
   */
  resolve(tag: string): Promise<Descriptor>;
  /**
   * Reads a manifest, a config or another small blob, at most 4 MiB. It is verified against its descriptor.
   */
  read(descriptor: Descriptor): Promise<Uint8Array>;
}

/** An image that a pull is about to fetch. */
export interface ImageToVerify {
  /** The reference that is pulled. */
  readonly reference: Reference;
  /** The index or manifest that the reference names. */
  readonly target: Descriptor;
  /** Reads more from the image's repository. */
  readonly registry: RegistryReader;
  /** Aborted when the pull is aborted. */
  readonly signal: AbortSignal;
}

/** Options for `Images.pull`. */
export interface PullOptions extends RegistryOptions, CallOptions {
  /** The platform to unpack. Default: the daemon's own. */
  readonly platform?: Platform | undefined;
  /**
   * Additional platforms to fetch, for example to export the image: a list, or `all` that the image supports.
   * Only the content for `platform` is unpacked. Entries of an index that are neither indexes nor manifests
   * are not fetched; the index is not changed. Default: none.
   */
  readonly platforms?: "all" | readonly Platform[] | undefined;
  /**
   * When to ask the registry. A reference with a digest always names the same content, so the registry is
   * asked only if the daemon does not have it. Any caller can use an image that the daemon has, even if the
   * registry would not allow it.
   *
   * @default "always"
   */
  readonly policy?: PullPolicy | undefined;
  /**
   * Which process sends the requests to the registry. `client`: this process; the daemon needs no network
   * access to the registry. `daemon`: containerd itself, from 2.0 on, over the network of its machine and
   * with its own `certs.d`. The resulting image is the same. With `daemon`, only `auth` and `hosts.plainHttp`
   * of {@link RegistryOptions} are supported. Options that the daemon would ignore are refused.
   *
   * @default "client"
   */
  readonly via?: "client" | "daemon" | undefined;
  /**
   * Layers to fetch at a time.
   *
   * @default 3
   */
  readonly maxConcurrentLayers?: number | undefined;
  /**
   * Most bytes that the layers of this image may take on the daemon's disk, together. Only layers that this
   * pull unpacks count. Default 100 GiB.
   */
  readonly maxUnpackedBytes?: number | undefined;
  /** Called with the progress of each blob. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /**
   * Called with the descriptor that the registry gives for the reference, before any content is fetched;
   * throw to refuse the image. It is not called if the registry is not asked, because the daemon has the
   * image and the policy allows it.
   *
   * @example
   * ```ts
   * await client.images.pull("registry.example.com/app:1", {
   *   verify: ({ target }) => {
   *     if (!allowedDigests.has(target.digest)) throw new Error(`${target.digest} is not allowed`);
   *   },
   * });
   * ```
   */
  readonly verify?: ((image: ImageToVerify) => Promise<void> | void) | undefined;
}

/** The parts of the client that a pull uses. */
export interface Puller extends Pick<ImageParts, "content" | "leases" | "introspection"> {
  readonly context: Context;
  readonly images: Pick<ImageStore, "get" | "put" | "isUnpacked">;
}

const DEFAULT_CONCURRENT_LAYERS = 3;

/** See `Images.pull`. */
export async function pullImage(
  puller: Puller,
  text: string,
  options: PullOptions = {},
): Promise<ResolvedImage> {
  checkCount("maxConcurrentLayers", options.maxConcurrentLayers);
  const reference = await parseOrFind(puller, text, options);
  if ("target" in reference) return reference;
  return withTimeLimit(`pull ${formatReference(reference)}`, options, (signal) =>
    pull(puller, text, reference, { ...options, signal }),
  );
}

/**
 * Parses the reference, or finds a local image. Other clients may give an image a name that is not a valid
 * reference. Such an image can be used if the policy allows it, but not pulled.
 */
async function parseOrFind(
  puller: Puller,
  text: string,
  options: PullOptions,
): Promise<Reference | ResolvedImage> {
  try {
    return parseReference(text);
  } catch (reason) {
    const { policy = "always" } = options;
    // A text that may contain a password is not sent to the daemon.
    if (policy === "always" || withoutCredentials(text) !== text) throw reason;
    const found = await withTimeLimit(`find image ${text}`, options, async (signal) => {
      const platform = options.platform ?? (await puller.introspection.daemonPlatform({ signal }));
      return findHere(puller, text, platform, { unpack: true, signal });
    });
    if (found === undefined) throw reason;
    return found;
  }
}

async function pull(
  puller: Puller,
  text: string,
  reference: Reference,
  options: PullOptions & { readonly signal: AbortSignal },
): Promise<ResolvedImage> {
  const { policy = "always", via, signal } = options;
  if (via === "daemon") await checkDaemonPull(puller.context, options);
  const name = formatReference(reference);
  const platform = options.platform ?? (await puller.introspection.daemonPlatform({ signal }));
  const isFixed = policy !== "always" || reference.digest !== undefined;
  const asWritten = isFixed ? await findHere(puller, text, platform, { unpack: true, signal }) : undefined;
  const found = asWritten ?? (await findHere(puller, name, platform, { unpack: isFixed, signal }));
  const isWanted =
    found !== undefined && isMeant(reference, found) && (await hasOthers(puller, found, options));
  const here = isWanted ? found : undefined;
  if (here !== undefined && isFixed) return here;
  if (policy === "never") {
    throw new ContainerdError(
      `image ${name} is not local, and the pull policy is never; pull or import it first, or use the policy if-not-present`,
      { kind: "not-found" },
    );
  }
  if (via === "daemon") return pullByItself(puller, reference, platform, options);
  await using repository = await openRepository(reference, options);
  const target = await resolveDescriptor(repository, reference, signal);
  await options.verify?.({ reference, target, registry: readerOf(repository, signal), signal });
  // Also if the daemon has everything: a process that died after it named the image has left its lease.
  await deleteStaleWork(puller, { signal });
  if (here?.target.digest === target.digest) return here;
  return underLease(puller, signal, async (context) => {
    const fetch: ImageFetch = {
      repository,
      context,
      content: createContent(context),
      snapshots: createSnapshots(context),
      progress: createProgressReporter(options.onProgress, repository.clock),
      signal,
    };
    const content = createFetchingContent(fetch, target);
    const walk = walkImage(content, target, { signal });
    const image = await resolveTarget(walk, name, platform);
    const { platforms = [], maxConcurrentLayers = DEFAULT_CONCURRENT_LAYERS, maxUnpackedBytes } = options;
    const others = await blobsFor(walk, name, platforms);
    await fetchLayers(fetch, image, others, { maxConcurrentLayers, maxUnpackedBytes });
    await puller.images.put(name, target, {}, { signal });
    return image;
  });
}

/**
 * Whether an image is the one that the reference means. An image record can have any name, so a digest in the
 * reference must match the content.
 */
function isMeant({ digest }: Reference, image: ResolvedImage): boolean {
  return digest === undefined || image.target.digest === digest;
}

async function pullByItself(
  puller: Puller,
  reference: Reference,
  platform: Platform,
  options: PullOptions & { readonly signal: AbortSignal },
): Promise<ResolvedImage> {
  const { signal, hosts, clock = systemClock } = options;
  const name = formatReference(reference);
  await deleteStaleWork(puller, { signal });
  const progress = createProgressReporter(options.onProgress, clock);
  const existing = await underLease(puller, signal, (context) =>
    pullByDaemon({
      context,
      reference,
      platform,
      credentials: credentialsFor(options),
      isPlain: typeof hosts === "object" && hosts.plainHttp?.includes(reference.domain) === true,
      progress,
      signal,
    }),
  );
  const image = await findHere(puller, name, platform, { unpack: false, signal });
  if (image !== undefined && isMeant(reference, image)) {
    for (const layer of image.layers)
      if (!existing.has(layer.digest)) progress.report(layer, "done", layer.size);
    return image;
  }
  throw new ContainerdError("what the daemon pulled is not the image, or not there any more", {
    kind: "data-loss",
  });
}

/**
 * Returns the local image for its platform, complete and unpacked; undefined if anything is missing. With
 * `unpack`, it is unpacked if necessary. If the client has a lease, the lease protects the image from now on.
 */
async function findHere(
  puller: Puller,
  text: string,
  platform: Platform,
  { unpack, signal }: { unpack: boolean; signal: AbortSignal },
): Promise<ResolvedImage | undefined> {
  const { images, content } = puller;
  try {
    const { name, target } = await images.get(text, { signal });
    // Lease the target first, then check the rest. The target's labels protect the rest. The daemon accepts a
    // lease on content that is already gone, without an error, so the check must come after.
    await hold(puller, { type: "content", id: target.digest }, signal);
    const image = await resolveTarget(walkImage(content, target, { signal }), name, platform);
    const { snapshotter } = puller.context;
    if (image.chainId !== "")
      await hold(puller, { type: `snapshots/${snapshotter}`, id: image.chainId }, signal);
    if (await images.isUnpacked(image, { signal })) return image;
    if (!unpack) return undefined;
    await underLease(puller, signal, async (context) => {
      const parts = { context, content: createContent(context), snapshots: createSnapshots(context) };
      await unpackImage(parts, image, { signal });
    });
    return image;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  }
}

/** Whether the daemon also has the content for the additional platforms. */
async function hasOthers(
  { content }: Puller,
  image: ResolvedImage,
  { platforms = [], signal }: PullOptions,
): Promise<boolean> {
  try {
    const walk = walkImage(content, image.target, { signal });
    for (const { digest } of await blobsFor(walk, image.name, platforms))
      await content.info(digest, { signal });
    return true;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return false;
    throw reason;
  }
}

async function hold(
  { context: { leaseId }, leases }: Puller,
  resource: LeaseResource,
  signal: AbortSignal,
): Promise<void> {
  if (leaseId === undefined) return;
  await leases.addResource(leaseId, resource, { signal }).catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
    throw new ContainerdError(`the client's lease ${leaseId} is not there any more`, {
      kind: "failed-precondition",
      cause: reason,
    });
  });
}

/**
 * Runs a task whose new content is protected by the client's lease, or by a lease of its own. Content that no
 * image refers to is released with that lease, even if the caller has aborted.
 */
async function underLease<T>(
  puller: Puller,
  signal: AbortSignal,
  task: (context: Context) => Promise<T>,
): Promise<T> {
  if (puller.context.leaseId !== undefined) return task(puller.context);
  await using work = await beginWork(puller, "pull", { signal });
  return await task(work.context);
}

function readerOf(repository: Repository, signal: AbortSignal): RegistryReader {
  return {
    resolve: (tag) => resolveDescriptor(repository, { tag }, signal),
    read: (descriptor) => fetchDocument(repository, descriptor, signal),
  };
}
