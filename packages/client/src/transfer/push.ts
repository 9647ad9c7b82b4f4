import type { CallOptions } from "../call.js";
import { forEachConcurrently } from "../concurrency/semaphore.js";
import { withTimeLimit } from "../concurrency/time-limit.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { traceTransfer } from "../diagnostics/transfer.js";
import { ContainerdError } from "../error.js";
import { findImage, type Image } from "../image/record.js";
import type { ImageParts, ImageStore } from "../image/store.js";
import { beginWork } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Platform } from "../oci/platform.js";
import { formatReference, parseReference, type Reference } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import { checkCount } from "../registry/count.js";
import { checkStoredDigest } from "../registry/document.js";
import type { Endpoint } from "../registry/endpoint.js";
import { DEFAULT_TIMEOUTS } from "../registry/http.js";
import { createProgressReporter, type TransferProgress } from "../registry/progress.js";
import { openRepository, type RegistryOptions, type Repository } from "../registry/repository.js";
import { retrying } from "../registry/retrier.js";
import { collectParts, type ImagePart } from "./image-part.js";
import { pushBlob } from "./push-blob.js";

/** Options for `Images.push`. */
export interface PushOptions extends RegistryOptions, CallOptions {
  /** The reference to push to. Default: the image's own name. */
  readonly as?: string | undefined;
  /**
   * Platforms to push, of an image for several platforms; for each, the best match is chosen. One is pushed
   * as a manifest, several as an index with only these. Default: all; the content store must then have all of
   * them.
   */
  readonly platforms?: readonly Platform[] | undefined;
  /**
   * Blobs to send at a time.
   *
   * @default 3
   */
  readonly maxConcurrentBlobs?: number | undefined;
  /**
   * Most bytes to send in one request, unless the registry requires more. Default: the whole rest of a blob.
   */
  readonly chunkBytes?: number | undefined;
  /** Called with the progress of each blob. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** An image as it was pushed. */
export interface PushedImage {
  /** The full name of the image in the registry. */
  readonly name: string;
  /** The manifest or index that the name now stands for in the registry. */
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
    // Lease the target, because another client may remove the image meanwhile. The target's labels protect
    // the rest.
    await using work = await beginWork(pusher, "push", { signal });
    await pusher.leases.addResource(work.id, { type: "content", id: image.target.digest }, { signal });
    const target = reference ?? parseReference(image.name);
    return await traceTransfer("push", formatReference(target), pusher.context, "client", () =>
      push(pusher.content, image, target, { ...options, signal }),
    );
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
    refuse(`as: ${name} has another digest than the image, ${target.digest}`, "a tag, or this digest");
  }
  await using repository = await openRepository(reference, options, "pull,push");
  const [endpoint] = repository.endpoints("push");
  if (endpoint === undefined) {
    const problem = `hosts.toml allows a push to no host of ${reference.domain}; allowed: at least one host with the capability push`;
    throw new ContainerdError(problem, { kind: "failed-precondition" });
  }
  const progress = createProgressReporter(options.onProgress, repository.clock);
  const stallMs = options.timeouts?.stallMs ?? DEFAULT_TIMEOUTS.stallMs;
  const blobs = [...new Map(parts.flatMap((part) => part.blobs).map((blob) => [blob.digest, blob])).values()];
  for (const blob of blobs) progress.report(blob, "waiting", 0);
  await forEachConcurrently(blobs, { count: maxConcurrentBlobs, signal }, (blob, either) =>
    pushBlob(blob, { repository, endpoint, content, chunkBytes, stallMs, progress, signal: either }),
  );
  // Push children before parents, and the tag last: a registry refuses a manifest or index whose parts it
  // lacks.
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
    checkStoredDigest(endpoint, digest, response);
  });
}
