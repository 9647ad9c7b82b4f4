import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkDigest } from "../oci/digest.js";
import { isIndex, isManifest, MEDIA_TYPES } from "../oci/media-type.js";
import { formatReference } from "../oci/reference.js";
import { checkSize, digestOf, readDocument, wrongBytes } from "./document.js";
import type { Endpoint } from "./endpoint.js";
import { failureOf } from "./failure.js";
import type { HttpResponse } from "./http.js";
import type { Answered, Repository, RepositoryRequest } from "./repository.js";
import { retrying } from "./retrier.js";

const ACCEPT = [
  MEDIA_TYPES.index,
  MEDIA_TYPES.manifest,
  MEDIA_TYPES.dockerIndex,
  MEDIA_TYPES.dockerManifest,
].join(", ");
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

/**
 * Finds what a tag or digest names now: by HEAD, which registries do not count as a pull, and where that tells too little by GET.
 *
 * @throws ContainerdError `not-found`; `not-implemented` for an image of docker's schema 1; `data-loss` when the registry gives something else than
 * the digest that was asked for.
 */
export async function resolveDescriptor(
  repository: Repository,
  { tag, digest: wanted }: TagOrDigest = repository.reference,
  signal?: AbortSignal,
): Promise<Descriptor> {
  // A tag means what a trusted host says; a digest can be had from anybody.
  const capability = wanted === undefined ? "resolve" : "pull";
  const request = {
    capability,
    path: `manifests/${wanted ?? tag}`,
    headers: { accept: ACCEPT },
    signal,
  } as const;
  return retrying({ retrier: repository.retrier(), signal }, async () => {
    const head = await askHead(repository, request);
    const found = head === undefined ? undefined : describe(repository, head.response, wanted);
    await head?.response.discard();
    if (found !== undefined) return found;
    const { response, endpoint } = await repository.ask({ ...request, method: "GET" });
    return describeBody(repository, response, endpoint, wanted);
  });
}

interface TagOrDigest {
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

async function askHead(
  repository: Repository,
  request: Omit<RepositoryRequest, "method">,
): Promise<Answered | undefined> {
  try {
    return await repository.ask({ ...request, method: "HEAD" });
  } catch (reason) {
    // Some registries do not know HEAD here, and a refusal explains itself only in the body that HEAD does not have.
    const status = failureOf(reason)?.status;
    if (status === 405 || status === 501 || status === 400 || status === 403) return undefined;
    throw reason;
  }
}

/** Undefined when the headers do not tell enough. */
function describe(
  repository: Repository,
  response: HttpResponse,
  wanted: string | undefined,
): Descriptor | undefined {
  const mediaType = mediaTypeOf(repository, response);
  const length = response.header("content-length");
  const told = response.header("docker-content-digest");
  const digest = wanted ?? told;
  if (mediaType === undefined || length === undefined || !/^\d{1,15}$/.test(length) || digest === undefined)
    return undefined;
  const size = checkSize(repository, Number(length));
  if (size === 0) return undefined;
  return { mediaType, digest: checkDigest("Docker-Content-Digest", digest), size };
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
    throw new ContainerdError(
      `${formatReference(repository.reference)} is ${JSON.stringify(response.header("content-type") ?? "of no media type").slice(0, 100)}; allowed: an image manifest or index, of OCI or docker's schema 2`,
      { kind: "not-implemented" },
    );
  }
  const digest = digestOf(wanted ?? "sha256:", bytes);
  if (wanted !== undefined && digest !== wanted) throw wrongBytes(wanted, endpoint);
  return { mediaType, digest, size: bytes.byteLength };
}

/** Undefined for one that is neither an index nor a manifest. */
function mediaTypeOf({ reference }: Repository, response: HttpResponse): string | undefined {
  const mediaType = (response.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (SCHEMA_1.test(mediaType)) {
    throw new ContainerdError(
      `${formatReference(reference)} is an image of docker's retired schema 1; allowed: schema 2 and OCI, which a push by any present tool makes of it`,
      { kind: "not-implemented" },
    );
  }
  return isIndex(mediaType) || isManifest(mediaType) ? mediaType : undefined;
}
