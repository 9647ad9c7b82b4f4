import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { digestOf, isDigest } from "../oci/digest.js";
import { isIndex, isManifest, isSchema1, MEDIA_TYPES } from "../oci/media-type.js";
import { formatReference, type Reference } from "../oci/reference.js";
import { checkSize, readDocument, wrongBytes } from "./document.js";
import type { Endpoint } from "./endpoint.js";
import { failureOf, uselessAnswer } from "./failure.js";
import type { HttpResponse } from "./http.js";
import type { Repository } from "./repository.js";
import { retrying } from "./retrier.js";

const ACCEPT = [
  MEDIA_TYPES.index,
  MEDIA_TYPES.manifest,
  MEDIA_TYPES.dockerIndex,
  MEDIA_TYPES.dockerManifest,
].join(", ");

/**
 * Some registries do not support HEAD, or fail at it. The reason for a refusal is only in the body, and the
 * answer to HEAD has none. If the answer has a Retry-After header, the host is not asked again now.
 */
function isToBeAskedByGet({ status, header }: HttpResponse): boolean {
  const isFinal = status < 400 || status === 404 || status === 429;
  return !isFinal && header("retry-after") === undefined;
}

/**
 * Finds the descriptor that a tag or digest names now. It uses HEAD, which registries do not count as a pull,
 * and GET if the answer to HEAD is not enough. If a host's answer cannot be used, the next host is asked.
 *
 * @throws ContainerdError `not-found`; `not-implemented` for an image of docker's schema 1; `data-loss` if
 * the registry sends something other than the digest that was asked for.
 */
export async function resolveDescriptor(
  repository: Repository,
  { tag, digest: wanted }: TagOrDigest = repository.reference,
  signal?: AbortSignal,
): Promise<Descriptor> {
  // Only a trusted host may say what a tag means. A digest is verified, so any host can serve it.
  const capability = wanted === undefined ? "resolve" : "pull";
  const path = `manifests/${wanted ?? tag}`;
  const request = { headers: { accept: ACCEPT }, signal };
  const head = { ...request, capability, path, method: "HEAD", isAlsoFine: isToBeAskedByGet } as const;
  return retrying({ retrier: repository.retrier(), signal }, () =>
    repository.ask(head, async ({ endpoint, response }) => {
      await response.discard();
      // With a digest, only the digest protects the content, so the size that a mirror reports cannot be
      // trusted.
      const isTrusted = wanted === undefined || !endpoint.isMirror;
      const found = response.status === 200 && isTrusted ? describe(repository, response, wanted) : undefined;
      if (found !== undefined) return found;
      const whole = await repository.askOne(endpoint, { ...request, method: "GET", to: path });
      return describeBody(repository, whole, endpoint, wanted);
    }),
  ).catch((reason: unknown) => {
    throw failureOf(reason)?.status === 404 ? notFound(repository, { tag, digest: wanted }, reason) : reason;
  });
}

/** The user probably mistyped the name or the tag; the registry only answers 404. */
function notFound({ reference }: Repository, { tag, digest }: TagOrDigest, reason: unknown): ContainerdError {
  const { domain, path } = reference;
  const { message, cause } = reason as ContainerdError;
  return new ContainerdError(describeNotFound({ domain, path, tag, digest }, message), {
    kind: "not-found",
    cause,
  });
}

/** @param said in whose words this was first told. */
export function describeNotFound(reference: Reference, said: string): string {
  const { domain, path, tag, digest } = reference;
  const what = digest === undefined ? `no tag ${tag}` : `no image with the digest ${digest}`;
  return `image ${formatReference(reference)} is not found: ${domain} has ${what} in the repository ${path}, or no such repository; check the name and the tag (${said})`;
}

interface TagOrDigest {
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** Reads a descriptor from the headers; undefined if they are not enough. */
function describe(
  repository: Repository,
  response: HttpResponse,
  wanted: string | undefined,
): Descriptor | undefined {
  // With a content coding, the length is that of the encoded body.
  if (response.codings.length > 0) return undefined;
  const mediaType = mediaTypeOf(repository, response);
  const length = response.header("content-length");
  const told = response.header("docker-content-digest");
  const digest = wanted ?? told;
  if (mediaType === undefined || length === undefined || !/^\d{1,15}$/.test(length) || digest === undefined)
    return undefined;
  const size = checkSize(repository, Number(length));
  if (size === 0) return undefined;
  if (!isDigest(digest)) {
    const problem = `Docker-Content-Digest: ${JSON.stringify(digest).slice(0, 160)} is not a digest`;
    throw uselessAnswer(problem, "invalid-argument");
  }
  return { mediaType, digest, size };
}

async function describeBody(
  repository: Repository,
  response: HttpResponse,
  endpoint: Endpoint,
  wanted: string | undefined,
): Promise<Descriptor> {
  const mediaType = mediaTypeOf(repository, response);
  const bytes = await readDocument(repository, response);
  if (mediaType === undefined) {
    throw uselessAnswer(
      `${endpoint.host.origin} answers to the request for ${formatReference(repository.reference)} with ${describeType(response)}; allowed: an image manifest or index, of OCI or docker's schema 2; check that it is a registry`,
      "not-implemented",
    );
  }
  const digest = digestOf(bytes, wanted);
  if (wanted !== undefined && digest !== wanted) throw wrongBytes(wanted, endpoint);
  return { mediaType, digest, size: bytes.byteLength };
}

function describeType(response: HttpResponse): string {
  const mediaType = response.header("content-type");
  return mediaType === undefined
    ? "no media type (Content-Type)"
    : `the media type ${JSON.stringify(mediaType.slice(0, 100))}`;
}

/** Reads the media type; undefined if it is neither an index nor a manifest. */
function mediaTypeOf({ reference }: Repository, response: HttpResponse): string | undefined {
  const mediaType = (response.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (isSchema1(mediaType)) {
    throw uselessAnswer(
      `${formatReference(reference)} is an image of docker's retired schema 1; allowed: schema 2 and OCI; push the image again with a current tool`,
      "not-implemented",
    );
  }
  return isIndex(mediaType) || isManifest(mediaType) ? mediaType : undefined;
}
