import { detectStall } from "../concurrency/stall-detector.js";
import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkStoredDigest } from "./document.js";
import type { Endpoint } from "./endpoint.js";
import { failureOf, type RegistryFailure } from "./failure.js";
import type { HttpResponse } from "./http.js";
import { redirectTarget } from "./redirect.js";
import type { Repository } from "./repository.js";

/** Reads the bytes of a blob, for example from containerd's content store. */
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
  /** Most bytes in one request; raised to the registry's minimum. Default: no limit. */
  readonly chunkBytes?: number | undefined;
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Called with the number of bytes that were sent so far. */
  readonly onOffset: (offset: number) => void;
}

/** An upload session of the distribution spec. */
interface Session {
  /** URL of the next request. It can change after each request. */
  at: URL;
  /** Bytes that the registry has received. */
  offset: number;
  /** Fewest bytes that the registry accepts in one request, except the last. */
  readonly minChunkBytes: number;
}

/** A blob (or rest) up to this size is sent in the request that ends the upload. */
const SINGLE_REQUEST_BYTES = 4 * 1024 * 1024;

/**
 * Uploads a blob in a session that the registry has started. If the connection breaks, or the registry
 * answers 416 for an unexpected part, the registry is asked how much it has, and the rest is sent. If it has
 * lost the session, a new one is started.
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
        // Bytes that were sent may still be in local buffers. Only bytes that the registry confirms count.
        if (session !== undefined && session.offset > confirmed) retrier.progress(session.offset - confirmed);
        confirmed = session?.offset ?? 0;
      }
      await retrier.wait(error, signal);
    }
  }
}

/**
 * In a session, 404 and 416 mean that the registry's state differs from ours. That can be repaired, so they
 * count as transient.
 */
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
  checkStoredDigest(endpoint, digest, response);
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
        // Docker's client sends a whole blob without this header, and some registries accept no other way.
        ...(!isWhole && size > 0 && { "content-range": `${offset}-${end - 1}` }),
      },
      ...(size > 0 && { body: () => detectStall(body(), stallMs, () => stalled.abort()) }),
      signal,
    });
  } catch (reason) {
    if (!stalled.signal.aborted) throw reason;
    const cause: RegistryFailure = { isTransient: true };
    throw new ContainerdError(`${endpoint.host.origin} takes no more bytes of ${digest}: stalled`, {
      kind: "unavailable",
      cause,
    });
  }
}

/** Asks how much the registry has; undefined if it has lost the session. */
async function askStatus(
  { at, minChunkBytes }: Session,
  { repository, endpoint, signal }: UploadOptions,
): Promise<Session | undefined> {
  try {
    const response = await repository.askOne(endpoint, { method: "GET", to: at, signal });
    await response.discard();
    const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header("range") ?? "");
    if (range === null) return undefined;
    // The spec cannot express "no bytes": an empty upload is 0-0, like an upload of one byte. That byte would
    // be sent twice and refused.
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
