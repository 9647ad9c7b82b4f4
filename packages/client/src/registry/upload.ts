import { detectStall } from "../concurrency/stall-detector.js";
import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Endpoint } from "./endpoint.js";
import { failureOf, type RegistryFailure } from "./failure.js";
import type { HttpResponse } from "./http.js";
import { redirectTarget } from "./redirect.js";
import type { Repository } from "./repository.js";

/** Where the bytes of a blob come from. containerd's content store is one. */
export interface BlobSource {
  read(
    digest: string,
    options: { offset?: number; size?: number; signal?: AbortSignal | undefined },
  ): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  readonly repository: Repository;
  readonly endpoint: Endpoint;
  readonly content: BlobSource;
  /** At most so many bytes in one request, but as many as the registry wants at least. Default: all of them. */
  readonly chunkBytes?: number | undefined;
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Bytes that were sent. */
  readonly onOffset: (offset: number) => void;
}

/** What the distribution spec calls an upload session. */
interface Session {
  /** Where the next request of it goes: another place after each. */
  at: URL;
  /** Bytes that the registry has. */
  offset: number;
  /** Bytes that it takes in a request at least, but for the last. */
  readonly minChunkBytes: number;
}

/** A blob of at most this size is sent whole, in the request that ends the upload. */
const SINGLE_REQUEST_BYTES = 4 * 1024 * 1024;

/**
 * Uploads a blob in a session that the registry has begun. After a cut, or a 416 for a part that it did not expect, the registry is asked how
 * much it has, and the rest is sent; where it has forgotten the session, a new one is begun.
 */
export async function uploadBlob(
  blob: Descriptor,
  begun: HttpResponse,
  options: UploadOptions,
): Promise<void> {
  const { repository, signal } = options;
  let session: Session | undefined = sessionOf(begun, repository);
  const retrier = repository.retrier(blob, () => session?.offset ?? 0);
  let confirmed = 0;
  await begun.discard();
  for (;;) {
    try {
      session ??= await beginUpload(options);
    } catch (reason) {
      await retrier.wait(reason, signal);
      continue;
    }
    try {
      await sendRest(blob, session, options);
      return;
    } catch (reason) {
      const error = passingInSession(reason);
      if (failureOf(error)?.isTransient === true) {
        session = failureOf(error)?.status === 404 ? undefined : await askStatus(session, options);
        // What was sent may have got no further than our own machine's buffers.
        if (session !== undefined && session.offset > confirmed) retrier.progress(session.offset - confirmed);
        confirmed = session?.offset ?? 0;
      }
      await retrier.wait(error, signal);
    }
  }
}

/** Within a session, 404 and 416 say that the registry's state is another than ours: that can be mended. */
function passingInSession(reason: unknown): unknown {
  const failure = failureOf(reason);
  if (failure?.status !== 404 && failure?.status !== 416) return reason;
  const { message, kind } = ContainerdError.from(reason);
  const cause: RegistryFailure = { ...failure, isTransient: true };
  return new ContainerdError(message, { kind, cause });
}

async function beginUpload({ repository, endpoint, signal }: UploadOptions): Promise<Session> {
  const response = await repository.askOne(endpoint, {
    method: "POST",
    to: "blobs/uploads/",
    headers: { "content-length": "0" },
    signal,
  });
  await response.discard();
  return sessionOf(response, repository);
}

function sessionOf(begun: HttpResponse, repository: Repository): Session {
  const min = begun.header("oci-chunk-min-length") ?? "";
  const minChunkBytes = /^\d{1,15}$/.test(min) ? Number(min) : 0;
  return { at: nextPlace(begun, repository), offset: 0, minChunkBytes };
}

async function sendRest(blob: Descriptor, session: Session, options: UploadOptions): Promise<void> {
  const { repository, endpoint, signal } = options;
  const chunkBytes = Math.max(options.chunkBytes ?? Number.POSITIVE_INFINITY, session.minChunkBytes);
  const { digest, size } = blob;
  while (session.offset < size && size - session.offset > Math.min(SINGLE_REQUEST_BYTES, chunkBytes)) {
    const end = Math.min(session.offset + chunkBytes, size);
    const response = await sendPart(blob, session, end, {
      ...options,
      method: "PATCH",
      isWhole: session.offset === 0 && end === size,
    });
    await response.discard();
    session.at = nextPlace(response, repository);
    session.offset = end;
  }
  const last = new URL(session.at);
  last.searchParams.set("digest", digest);
  const response = await sendPart(blob, { ...session, at: last }, size, {
    ...options,
    method: "PUT",
    isWhole: session.offset === 0,
  });
  await response.discard();
  const told = response.header("docker-content-digest");
  if (told !== undefined && told !== digest) {
    throw new ContainerdError(`${endpoint.host.origin} took ${digest} for ${told.slice(0, 150)}`, {
      kind: "data-loss",
    });
  }
  signal.throwIfAborted();
}

async function sendPart(
  { digest }: Descriptor,
  { at, offset }: Session,
  end: number,
  options: UploadOptions & { readonly method: "PATCH" | "PUT"; readonly isWhole: boolean },
): Promise<HttpResponse> {
  const { repository, endpoint, content, stallMs, method, isWhole, onOffset } = options;
  const stalled = new AbortController();
  const signal = AbortSignal.any([options.signal, stalled.signal]);
  const size = end - offset;

  async function* body(): AsyncGenerator<Uint8Array> {
    let sent = offset;
    for await (const chunk of content.read(digest, { offset, size, signal })) {
      yield chunk;
      sent += chunk.byteLength;
      onOffset(sent);
    }
  }

  try {
    return await repository.askOne(endpoint, {
      method,
      to: at,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(size),
        // Docker's own client sends a whole blob without it, and some registries know no other way.
        ...(!isWhole && size > 0 && { "content-range": `${offset}-${end - 1}` }),
      },
      ...(size > 0 && { body: () => detectStall(body(), stallMs, () => stalled.abort()) }),
      signal,
    });
  } catch (reason) {
    if (!stalled.signal.aborted) throw reason;
    const cause: RegistryFailure = { isTransient: true };
    throw new ContainerdError(`${endpoint.host.origin} takes no bytes of ${digest}: stalled`, {
      kind: "unavailable",
      cause,
    });
  }
}

/** How much the registry has; undefined where it knows nothing of the session any more. */
async function askStatus(
  { at, minChunkBytes }: Session,
  { repository, endpoint, signal }: UploadOptions,
): Promise<Session | undefined> {
  try {
    const response = await repository.askOne(endpoint, { method: "GET", to: at, signal });
    await response.discard();
    const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header("range") ?? "");
    if (range === null) return undefined;
    // The spec has no way to say "none": an empty upload is 0-0, and so is one of a single byte, which is then sent twice and refused.
    const last = Number(range[1]);
    return last === 0 ? undefined : { at: nextPlace(response, repository), offset: last + 1, minChunkBytes };
  } catch (reason) {
    if (failureOf(reason) === undefined) throw reason;
    return undefined;
  }
}

function nextPlace(response: HttpResponse, { mayBePlain }: Repository): URL {
  return redirectTarget(response.url, response.header("location"), mayBePlain);
}
