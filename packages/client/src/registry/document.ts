import { createHash } from "node:crypto";
import type { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { MAX_DOCUMENT_BYTES } from "../oci/manifest.js";
import { isIndex, isManifest } from "../oci/media-type.js";
import { formatReference } from "../oci/reference.js";
import type { Endpoint } from "./endpoint.js";
import { uselessAnswer } from "./failure.js";
import type { HttpResponse } from "./http.js";
import type { Repository, RepositoryRequest } from "./repository.js";
import { retrying } from "./retrier.js";

/** @throws ContainerdError `out-of-range` for a document that is too large to be one. */
export function checkSize({ reference }: Repository, size: number): number {
  if (size <= MAX_DOCUMENT_BYTES) return size;
  const problem = `${formatReference(reference)}: the manifest has more than ${MAX_DOCUMENT_BYTES} bytes; allowed: at most ${MAX_DOCUMENT_BYTES}`;
  throw uselessAnswer(problem, "out-of-range");
}

/** Reads no more than a document may have. */
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
 * Fetches a document, a manifest or a config, into memory, and verifies it. A host that gives something else is passed over.
 *
 * @throws ContainerdError `data-loss` when no host gives what its digest and size say.
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
        // Not to wait for what will never come.
        await response.discard();
        throw wrongBytes(digest, endpoint);
      }
      const bytes = await readDocument(repository, response);
      if (bytes.byteLength === descriptor.size && digestOf(digest, bytes) === digest) return bytes;
      throw wrongBytes(digest, endpoint);
    }),
  );
}

/** @param like a digest, or the beginning of one, that names the algorithm. */
export function digestOf(like: string, bytes: Uint8Array): string {
  const algorithm = like.startsWith("sha512:") ? "sha512" : "sha256";
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

export function wrongBytes(digest: string, { host }: Endpoint): ContainerdError {
  const problem = `${host.origin} gives something else for ${digest}: its digest or its size differs`;
  return uselessAnswer(problem, "data-loss");
}
