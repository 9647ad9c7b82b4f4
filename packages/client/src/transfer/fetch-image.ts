import { createSemaphore } from "../concurrency/semaphore.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { childLabels } from "../image/child-labels.js";
import type { ResolvedImage } from "../image/resolve.js";
import { unpackImage } from "../image/unpack.js";
import type { Descriptor } from "../oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "../oci/manifest.js";
import { isIndex, isManifest } from "../oci/media-type.js";
import { fetchDocument } from "../registry/document.js";
import type { ProgressReporter } from "../registry/progress.js";
import type { Repository } from "../registry/repository.js";
import type { Snapshots } from "../snapshot.js";
import { fetchBlob } from "./fetch-blob.js";
import { storeBytes } from "./ingest.js";
import { addSource, ingestRef, sourceKey } from "./source-label.js";

/** What an image's content is brought with; all of it under one lease. */
export interface ImageFetch {
  readonly repository: Repository;
  readonly context: Context;
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal;
}

/**
 * The content store as it is for a walk over an image from its target down: what is read of it comes here first. Each document is verified, and labelled
 * with what it refers to.
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
  const { digest, size } = descriptor;
  const here = await content
    .readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal })
    .catch((reason: unknown) => {
      if (isContainerdError(reason, "not-found")) return undefined;
      throw reason;
    });
  if (here !== undefined && here.byteLength !== size) {
    throw new ContainerdError(`${digest} has ${here.byteLength} bytes, and its descriptor says ${size}`, {
      kind: "data-loss",
    });
  }
  const bytes = here ?? (await fetchDocument(repository, descriptor, signal));
  // Also when it is here: so it comes onto our lease.
  const labels = await sourceLabels(fetch, digest);
  const { services } = fetch.context;
  const { clock } = repository;
  const ref = ingestRef(descriptor);
  const state = await takeTurn(fetch, ref, () =>
    storeBytes(descriptor, bytes, labels, { services, content, clock, ref, signal }),
  );
  if (state === "exists") await content.setLabels(digest, labels, { signal });
  return bytes;
}

/**
 * Brings the layers, several at a time, and unpacks each as soon as it and those below it are there; what else the manifest lists comes with them. When one
 * fails, all are given up.
 *
 * @param others what is to come beside them.
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
  // An image may have a layer twice: it is brought once.
  const blobs = new Map([...others, ...image.artifacts, ...image.layers].map((blob) => [blob.digest, blob]));
  const unpacked = new Set(image.layers.map(({ digest }) => digest));
  for (const blob of blobs.values()) progress.report(blob, "waiting", 0);
  const semaphore = createSemaphore(maxConcurrentLayers);
  const brought = new Map(
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
      await brought.get(layer.digest);
      progress.report(layer, "unpacking", layer.size);
    },
    onLayer: (layer, state) => progress.report(layer, state === "exists" ? "exists" : "done", layer.size),
  }).catch(giveUp);
  const settled = await Promise.allSettled([...brought.values(), unpacking]);
  if (settled.some(({ status }) => status === "rejected")) throw rootOf(fetch.signal, failure.signal);
}

/** @param isAll nothing is done with it after that. */
async function fetchIntoContent(fetch: ImageFetch, blob: Descriptor, isAll: boolean): Promise<void> {
  const { repository, content, context, progress, signal } = fetch;
  signal.throwIfAborted();
  const ref = ingestRef(blob);
  const labels = await sourceLabels(fetch, blob.digest);
  const state = await takeTurn(fetch, ref, () =>
    fetchBlob(blob, {
      repository,
      content,
      services: context.services,
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

/** Others in this process wait here, and not at the daemon: one of version 1 holds up all its writers while one of them finds an ingest locked. */
function takeTurn<T>({ context, signal }: ImageFetch, ref: string, task: () => Promise<T>): Promise<T> {
  return context.mutex.run(JSON.stringify([context.namespace, ref]), signal, task);
}

async function sourceLabels(
  { content, repository, signal }: ImageFetch,
  digest: string,
): Promise<Record<string, string>> {
  const key = sourceKey(repository.reference);
  const labels = await content.info(digest, { signal }).then(
    (info) => info.labels,
    (reason: unknown) => {
      if (isContainerdError(reason, "not-found")) return {} as Record<string, string>;
      throw reason;
    },
  );
  return { [key]: addSource(key, labels[key], repository.reference.path) };
}

/** What failed first; the others failed because of it. */
function rootOf(outer: AbortSignal, failure: AbortSignal): unknown {
  if (!outer.aborted) return failure.reason;
  return new ContainerdError("aborted by the caller", { kind: "canceled", cause: outer.reason });
}
