import type { CallOptions } from "../call.js";
import { forEachInSlots } from "../concurrency/semaphore.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import { findImage, type Image } from "../image/record.js";
import type { ImageParts, ImageStore } from "../image/store.js";
import { beginWork } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Platform } from "../oci/platform.js";
import { formatReference, parseReference, type Reference } from "../oci/reference.js";
import { checkCount } from "../registry/count.js";
import type { Endpoint } from "../registry/endpoint.js";
import { DEFAULT_TIMEOUTS } from "../registry/http.js";
import { createProgressReporter, type TransferProgress } from "../registry/progress.js";
import { openRepository, type RegistryOptions, type Repository } from "../registry/repository.js";
import { retrying } from "../registry/retrier.js";
import { collectParts, type ImagePart } from "./image-part.js";
import { pushBlob } from "./push-blob.js";

export interface PushOptions extends RegistryOptions, CallOptions {
  /** The reference to push as. Default: the image's own name. */
  readonly as?: string | undefined;
  /**
   * Of an image for several platforms, what suits each of these best: one as a manifest of its own, several as an index of them alone. Default: all,
   * which the content store must then have.
   */
  readonly platforms?: readonly Platform[] | undefined;
  /** Blobs that are sent at a time. Default 3. */
  readonly maxConcurrentBlobs?: number | undefined;
  /** Bytes that are sent in one request at most, where the registry does not want more. Default: a blob whole, from where the registry has it. */
  readonly chunkBytes?: number | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

export interface PushedImage {
  /** In full, as the registry has it now. */
  readonly name: string;
  readonly target: Descriptor;
}

export interface Pusher extends Pick<ImageParts, "content" | "leases"> {
  readonly context: Context;
  readonly images: Pick<ImageStore, "get">;
}

const DEFAULT_CONCURRENT_BLOBS = 3;

/** See `Images.push`. */
export async function pushImage(
  pusher: Pusher,
  source: string | Image,
  options: PushOptions = {},
): Promise<PushedImage> {
  const reference = options.as === undefined ? undefined : parseReference(options.as);
  for (const field of ["chunkBytes", "maxConcurrentBlobs"] as const) checkCount(field, options[field]);
  const given = typeof source === "string" ? source : source.name;
  const operation = `push ${given}${reference === undefined ? "" : ` as ${formatReference(reference)}`}`;
  return withTimeLimit(operation, options, async (signal) => {
    const image = await findImage(pusher.images, source, { signal });
    // Somebody else may remove it meanwhile. By its labels the target holds the rest.
    await using work = await beginWork(pusher, "push", { signal });
    await pusher.leases.addResource(work.id, { type: "content", id: image.target.digest }, { signal });
    return await push(pusher.content, image, reference ?? parseReference(image.name), {
      ...options,
      signal,
    });
  });
}

async function push(
  content: Content,
  image: Image,
  reference: Reference,
  options: PushOptions & { readonly signal: AbortSignal },
): Promise<PushedImage> {
  const { signal, platforms, chunkBytes, maxConcurrentBlobs = DEFAULT_CONCURRENT_BLOBS } = options;
  const name = formatReference(reference);
  const { target, parts } = await collectParts(content, image, { platforms, signal });
  if (reference.digest !== undefined && reference.digest !== target.digest) {
    const problem = `as: ${name} has another digest than the image, ${target.digest}; allowed: a tag`;
    throw new ContainerdError(problem, { kind: "invalid-argument" });
  }
  await using repository = await openRepository(reference, options, "pull,push");
  const [endpoint] = repository.endpoints("push");
  if (endpoint === undefined) {
    const problem = `no host of ${reference.domain} may be pushed to; allowed: one with that capability in hosts.toml`;
    throw new ContainerdError(problem, { kind: "failed-precondition" });
  }
  const progress = createProgressReporter(options.onProgress, repository.clock);
  const stallMs = options.timeouts?.stallMs ?? DEFAULT_TIMEOUTS.stallMs;
  const blobs = [...new Map(parts.flatMap((part) => part.blobs).map((blob) => [blob.digest, blob])).values()];
  for (const blob of blobs) progress.report(blob, "waiting", 0);
  await forEachInSlots(blobs, { count: maxConcurrentBlobs, signal }, (blob, either) =>
    pushBlob(blob, { repository, endpoint, content, chunkBytes, stallMs, progress, signal: either }),
  );
  // Children before parents, and what the tag names last: a registry refuses what it does not have all of.
  for (const part of parts) {
    const { digest } = part.descriptor;
    await putDocument(
      repository,
      endpoint,
      part,
      (digest === target.digest ? reference.tag : undefined) ?? digest,
      signal,
    );
  }
  return { name, target };
}

async function putDocument(
  repository: Repository,
  endpoint: Endpoint,
  { descriptor, bytes }: ImagePart,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { mediaType, digest } = descriptor;
  await retrying({ retrier: repository.retrier(), signal }, async () => {
    const request = {
      method: "PUT",
      to: `manifests/${name}`,
      headers: { "content-type": mediaType },
    } as const;
    const response = await repository.askOne(endpoint, { ...request, body: () => bytes, signal });
    await response.discard();
    const told = response.header("docker-content-digest");
    if (told === undefined || told === digest) return;
    throw new ContainerdError(`${endpoint.host.origin} took ${digest} for ${told.slice(0, 150)}`, {
      kind: "data-loss",
    });
  });
}
