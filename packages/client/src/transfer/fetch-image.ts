import { createSemaphore } from "../concurrency/semaphore.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { childLabels } from "../image/child-labels.js";
import type { ResolvedImage } from "../image/resolve.js";
import { unpackImage } from "../image/unpack.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkSize } from "../oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "../oci/manifest.js";
import { isIndex, isManifest } from "../oci/media-type.js";
import { fetchDocument } from "../registry/document.js";
import type { ProgressReporter } from "../registry/progress.js";
import type { Repository } from "../registry/repository.js";
import type { Snapshots } from "../snapshot.js";
import { fetchBlob } from "./fetch-blob.js";
import { storeBytes } from "./ingest.js";
import { addSource, ingestRef, sourceKey } from "./source-label.js";

/** Everything that a fetch of an image needs. All content is protected by one lease. */
export interface ImageFetch {
  readonly repository: Repository;
  readonly context: Context;
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal;
}

/**
 * Returns a content store for a walk over an image, from its target down. Reading a document first fetches it
 * from the registry, if the daemon does not have it. Each document is verified, and labelled with what it
 * refers to.
 */
export function createFetchingContent(fetch: ImageFetch, target: Descriptor): Content {
  const { content, signal } = fetch;
  const known = new Map([[target.digest, target]]);

  async function readAll(digest: string): Promise<Uint8Array> {
    const descriptor = known.get(digest) as Descriptor;
    const bytes = await fetchOrReadDocument(fetch, descriptor);
    if (!isIndex(descriptor.mediaType) && !isManifest(descriptor.mediaType)) return bytes;
    const document = parseIndexOrManifest(descriptor, bytes);
    const children = isIndexDocument(document) ? document.manifests : [document.config];
    for (const child of children) known.set(child.digest, child);
    await content.setLabels(digest, childLabels(document), { signal });
    return bytes;
  }

  return { ...content, readAll };
}

async function fetchOrReadDocument(fetch: ImageFetch, descriptor: Descriptor): Promise<Uint8Array> {
  const { repository, content, signal } = fetch;
  const { digest } = descriptor;
  const stored = await ignoreNotFound(content.readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal }));
  if (stored !== undefined) checkSize(descriptor, stored.byteLength, "data-loss");
  const bytes = stored ?? (await fetchDocument(repository, descriptor, signal));
  // Also if the daemon already has it: this adds it to our lease.
  const labels = await sourceLabels(fetch, digest);
  const { context } = fetch;
  const { clock } = repository;
  const ref = ingestRef(descriptor);
  const state = await withBlobMutex(fetch, ref, () =>
    storeBytes(descriptor, bytes, labels, { context, content, clock, ref, signal }),
  );
  if (state === "exists") await content.setLabels(digest, labels, { signal });
  return bytes;
}

/**
 * Fetches the layers, several at a time, and the other blobs that the manifest lists. Each layer is unpacked
 * as soon as it and the layers below it are stored. If one fails, all are cancelled.
 *
 * @param others additional blobs to fetch.
 */
export async function fetchLayers(
  fetch: ImageFetch,
  image: ResolvedImage,
  others: readonly Descriptor[],
  { maxConcurrentLayers, ...limits }: { maxConcurrentLayers: number; maxUnpackedBytes?: number | undefined },
): Promise<void> {
  const { context, content, snapshots, progress } = fetch;
  const failure = new AbortController();
  const signal = AbortSignal.any([fetch.signal, failure.signal]);
  const giveUp = (reason: unknown): never => {
    failure.abort(reason);
    throw reason;
  };
  // An image may list a layer twice; it is fetched once.
  const blobs = new Map([...others, ...image.artifacts, ...image.layers].map((blob) => [blob.digest, blob]));
  const unpacked = new Set(image.layers.map(({ digest }) => digest));
  for (const blob of blobs.values()) progress.report(blob, "waiting", 0);
  const semaphore = createSemaphore(maxConcurrentLayers);
  const fetched = new Map(
    [...blobs.values()].map((blob) => [
      blob.digest,
      semaphore
        .run(() => fetchIntoContent({ ...fetch, signal }, blob, !unpacked.has(blob.digest)))
        .catch(giveUp),
    ]),
  );
  const unpacking = unpackImage({ context, content, snapshots }, image, {
    ...limits,
    signal,
    beforeLayer: async (layer) => {
      await fetched.get(layer.digest);
      progress.report(layer, "unpacking", layer.size);
    },
    onLayer: (layer, state) => progress.report(layer, state === "exists" ? "exists" : "done", layer.size),
  }).catch(giveUp);
  const settled = await Promise.allSettled([...fetched.values(), unpacking]);
  if (settled.some(({ status }) => status === "rejected")) throw rootOf(fetch.signal, failure.signal);
}

/** @param isAll whether the blob is done after the fetch, because it is not unpacked. */
async function fetchIntoContent(fetch: ImageFetch, blob: Descriptor, isAll: boolean): Promise<void> {
  const { repository, content, context, progress, signal } = fetch;
  signal.throwIfAborted();
  const ref = ingestRef(blob);
  const labels = await sourceLabels(fetch, blob.digest);
  const state = await withBlobMutex(fetch, ref, () =>
    fetchBlob(blob, {
      repository,
      content,
      context,
      ref,
      labels,
      signal,
      onProgress: (now, offset) => progress.report(blob, now, offset),
    }),
  );
  if (state === "exists")
    await content.setLabels(blob.digest, await sourceLabels(fetch, blob.digest), { signal });
  if (isAll) progress.report(blob, state === "exists" ? "exists" : "done", blob.size);
}

/**
 * Waits for other tasks of this process that fetch the same blob. They wait in this process, not in the
 * daemon: containerd 1 blocks all its writers while one of them tries to open a locked ingest.
 */
function withBlobMutex<T>({ context, signal }: ImageFetch, ref: string, task: () => Promise<T>): Promise<T> {
  return context.mutex.run(JSON.stringify([context.namespace, ref]), signal, task);
}

async function sourceLabels(
  { content, repository, signal }: ImageFetch,
  digest: string,
): Promise<Record<string, string>> {
  const key = sourceKey(repository.reference);
  const { labels = {} } = (await ignoreNotFound(content.info(digest, { signal }))) ?? {};
  return { [key]: addSource(key, labels[key], repository.reference.path) };
}

/** Returns the first failure; the others are its consequences. */
function rootOf(outer: AbortSignal, failure: AbortSignal): unknown {
  if (!outer.aborted) return failure.reason;
  return new ContainerdError("aborted by the caller", { kind: "canceled", cause: outer.reason });
}
