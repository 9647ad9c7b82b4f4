import type { CallOptions } from "../call.js";
import { systemClock } from "../concurrency/clock.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import { createContent } from "../content/content.js";
import { traceTransfer } from "../diagnostics/transfer.js";
import { ContainerdError } from "../error.js";
import { blobsFor } from "../image/blobs.js";
import { type ResolvedImage, resolveTarget } from "../image/resolve.js";
import { walkImage } from "../image/walk.js";
import { deleteStaleWork, underLease } from "../lease/work-lease.js";
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
import { findStoredImage, hasPlatforms, type Puller } from "./stored-image.js";

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
      return findStoredImage(puller, text, platform, { unpack: true, signal });
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
  const asWritten = isFixed
    ? await findStoredImage(puller, text, platform, { unpack: true, signal })
    : undefined;
  const found = asWritten ?? (await findStoredImage(puller, name, platform, { unpack: isFixed, signal }));
  const isWanted =
    found !== undefined &&
    isMeant(reference, found) &&
    (await hasPlatforms(puller, found, options.platforms ?? [], signal));
  const stored = isWanted ? found : undefined;
  if (stored !== undefined && isFixed) return stored;
  if (policy === "never") {
    throw new ContainerdError(
      `image ${name} is not local, and the pull policy is never; pull or import it first, or use the policy if-not-present`,
      { kind: "not-found" },
    );
  }
  return traceTransfer("pull", name, puller.context, via, () =>
    via === "daemon"
      ? pullThroughDaemon(puller, reference, platform, options)
      : pullThroughClient(puller, reference, platform, stored, options),
  );
}

/** @param stored the image that the daemon has under this name. The registry may have another one by now. */
async function pullThroughClient(
  puller: Puller,
  reference: Reference,
  platform: Platform,
  stored: ResolvedImage | undefined,
  options: PullOptions & { readonly signal: AbortSignal },
): Promise<ResolvedImage> {
  const { signal } = options;
  const name = formatReference(reference);
  await using repository = await openRepository(reference, options);
  const target = await resolveDescriptor(repository, reference, signal);
  await options.verify?.({ reference, target, registry: readerOf(repository, signal), signal });
  // Also if the daemon has everything: a process that died after it named the image has left its lease.
  await deleteStaleWork(puller, { signal });
  if (stored?.target.digest === target.digest) return stored;
  return underLease(puller, "pull", { signal }, async (context) => {
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

async function pullThroughDaemon(
  puller: Puller,
  reference: Reference,
  platform: Platform,
  options: PullOptions & { readonly signal: AbortSignal },
): Promise<ResolvedImage> {
  const { signal, hosts, clock = systemClock } = options;
  const name = formatReference(reference);
  await deleteStaleWork(puller, { signal });
  const progress = createProgressReporter(options.onProgress, clock);
  const existing = await underLease(puller, "pull", { signal }, (context) =>
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
  const image = await findStoredImage(puller, name, platform, { unpack: false, signal });
  if (image !== undefined && isMeant(reference, image)) {
    for (const layer of image.layers)
      if (!existing.has(layer.digest)) progress.report(layer, "done", layer.size);
    return image;
  }
  throw new ContainerdError("the image that the daemon pulled has another digest, or was removed meanwhile", {
    kind: "data-loss",
  });
}

function readerOf(repository: Repository, signal: AbortSignal): RegistryReader {
  return {
    resolve: (tag) => resolveDescriptor(repository, { tag }, signal),
    read: (descriptor) => fetchDocument(repository, descriptor, signal),
  };
}
