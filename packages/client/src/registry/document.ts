import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { digestOf } from "../oci/digest.js";
import { MAX_DOCUMENT_BYTES } from "../oci/manifest.js";
import { isIndex, isManifest } from "../oci/media-type.js";
import { formatReference } from "../oci/reference.js";
import type { Endpoint } from "./endpoint.js";
import { uselessAnswer } from "./failure.js";
import type { HttpResponse } from "./http.js";
import type { Repository, RepositoryRequest } from "./repository.js";
import { retrying } from "./retrier.js";

/**
 * Checks the size of a manifest or config, in bytes, and returns it.
 *
 * @throws ContainerdError `out-of-range` if the size is above the limit.
 */
export function checkSize({ reference }: Repository, size: number): number {
  if (size <= MAX_DOCUMENT_BYTES) return size;
  const problem = `${formatReference(reference)}: the manifest has more than ${MAX_DOCUMENT_BYTES} bytes; allowed: up to ${MAX_DOCUMENT_BYTES}`;
  throw uselessAnswer(problem, "out-of-range");
}

/**
 * Reads a body, up to the size limit of a document.
 *
 * @throws as {@link checkSize} does.
 */
export async function readDocument(repository: Repository, response: HttpResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size = checkSize(repository, size + chunk.byteLength);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Fetches a manifest or a config into memory, and verifies its digest and size. If a host sends other bytes,
 * the next host is asked.
 *
 * @throws ContainerdError `data-loss` if no host sends the bytes that the descriptor names.
 */
export async function fetchDocument(
  repository: Repository,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { digest, mediaType } = descriptor;
  const isDocument = isIndex(mediaType) || isManifest(mediaType);
  checkSize(repository, descriptor.size);
  const request: RepositoryRequest = {
    method: "GET",
    capability: "pull",
    path: `${isDocument ? "manifests" : "blobs"}/${digest}`,
    headers: isDocument ? { accept: `${mediaType}, */*;q=0.1` } : {},
    signal,
  };
  return retrying({ retrier: repository.retrier(descriptor), signal }, () =>
    repository.ask(request, async ({ response, endpoint }) => {
      const length = Number(response.header("content-length") ?? descriptor.size);
      if (length !== descriptor.size && response.codings.length === 0) {
        // Do not wait for bytes that will never come.
        await response.discard();
        throw wrongBytes(digest, endpoint);
      }
      const bytes = await readDocument(repository, response);
      if (bytes.byteLength === descriptor.size && digestOf(bytes, digest) === digest) return bytes;
      throw wrongBytes(digest, endpoint);
    }),
  );
}

/**
 * Checks the digest that a registry tells for what it has stored.
 *
 * @throws ContainerdError `data-loss`.
 */
export function checkStoredDigest({ host }: Endpoint, digest: string, response: HttpResponse): void {
  const told = response.header("docker-content-digest");
  if (told === undefined || told === digest) return;
  throw new ContainerdError(`${host.origin} stored ${digest} as ${told.slice(0, 150)}`, {
    kind: "data-loss",
  });
}

export function wrongBytes(digest: string, { host }: Endpoint): ContainerdError {
  const problem = `${host.origin} answers with other bytes than ${digest}: the digest or the size differs`;
  return uselessAnswer(problem, "data-loss");
}
