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

/** As Kubernetes has them: ask the registry each time; only for what is not here; never. */
export type PullPolicy = "always" | "if-not-present" | "never";

/** What a registry can be asked while an image is looked at: its signatures, for one. */
export interface RegistryReader {
  /** What another tag of the same repository names. @throws ContainerdError `not-found`. */
  resolve(tag: string): Promise<Descriptor>;
  /** A manifest, a config or another small blob, at most 4 MiB, verified against its descriptor. */
  read(descriptor: Descriptor): Promise<Uint8Array>;
}

export interface ImageToVerify {
  readonly reference: Reference;
  /** What the reference names: an index, or a manifest. */
  readonly target: Descriptor;
  readonly registry: RegistryReader;
  readonly signal: AbortSignal;
}

export interface PullOptions extends RegistryOptions, CallOptions {
  /** Default: the daemon's own. */
  readonly platform?: Platform | undefined;
  /**
   * Platforms whose content comes too, to be passed on or exported: some, or `all` that the image is for. Only what is for `platform` is unpacked; entries of
   * an index that are neither indexes nor manifests stay in it, and are not fetched. Default: none.
   */
  readonly platforms?: "all" | readonly Platform[] | undefined;
  /**
   * Default `always`. A reference with a digest names the same for ever, and is asked for only as long as it is not here. What is here is used by
   * whoever asks for it, whether or not the registry would have let them.
   */
  readonly policy?: PullPolicy | undefined;
  /**
   * Who speaks with the registry. `client`, the default: this process, and the daemon needs no way there. `daemon`: containerd itself, from 2.0 on, over
   * its machine's network and by its own `certs.d`, with the same image in the end; of {@link RegistryOptions} it then heeds `auth` and
   * `hosts.plainHttp`, and what else is given is refused.
   */
  readonly via?: "client" | "daemon" | undefined;
  /** Layers that are fetched at a time. Default 3. */
  readonly maxConcurrentLayers?: number | undefined;
  /** Bytes that the layers which are unpacked now may take on the daemon's disk, together. Default 100 GiB. */
  readonly maxUnpackedBytes?: number | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /**
   * Looks at what the registry says that the reference names, before any of it is fetched, and throws to refuse it. Where the registry is not
   * asked, because the image is here and the policy lets it be used, it is not looked at again.
   */
  readonly verify?: ((image: ImageToVerify) => Promise<void> | void) | undefined;
}

/** The nouns that a pull is made with. */
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

/** Other clients may have given an image a name that no registry knows: by the policy such an image can be used, and not pulled. */
async function parseOrFind(
  puller: Puller,
  text: string,
  options: PullOptions,
): Promise<Reference | ResolvedImage> {
  try {
    return parseReference(text);
  } catch (reason) {
    const { policy = "always" } = options;
    // What may be a password goes nowhere.
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
  // Also when all is here: one that died after it had named the image has left its lease.
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

/** A record can have any name: whoever names a digest means the content, and not what somebody calls so. */
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
 * The image as it is here, for its platform, complete and unpacked, and from now on held by the caller's lease, if there is one; undefined when anything
 * of it is missing.
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
    // By its labels it holds the rest. The daemon takes what is gone already without a word: so first held, and then looked at.
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

/** Whether that which was asked for beside the image for its platform is here too. */
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
 * Whatever is made belongs to the caller's lease, or to one of our own: what no image holds in the end goes with that, also when the caller has
 * given up.
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
