import { coalesce } from "../concurrency/coalesce.js";
import type { Content } from "../content/content.js";
import type { Services } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { parseContentRange } from "../registry/content-range.js";
import { wrongBytes } from "../registry/document.js";
import type { Endpoint } from "../registry/endpoint.js";
import { failureOf, isTransientStatus, type RegistryFailure } from "../registry/failure.js";
import type { HttpResponse } from "../registry/http.js";
import type { Answered, Repository, RepositoryRequest } from "../registry/repository.js";
import type { Retrier } from "../registry/retrier.js";
import { type BlobIngest, openIngest } from "./ingest.js";

export interface FetchBlobOptions {
  readonly repository: Repository;
  readonly content: Content;
  readonly services: Services;
  /** Names the ingest; containerd's own clients use the same names, and so the work is shared. */
  readonly ref: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** `waiting` while somebody else writes the same blob; with the bytes that the daemon has. */
  readonly onProgress?: ((state: "waiting" | "fetching", offset: number) => void) | undefined;
}

/** The daemon confirms each write: few and large ones, well below its limit of 16 MiB a message. */
const WRITE_BYTES = 512 * 1024;

/** What a registry says to a Range that is not for the Range: the blob is not there, or not for us, or not now. */
const NOT_FOR_THE_RANGE = [401, 404, 410];

const MOST_RANGE_FAILURES = 2;

/** Of an answer that breaks off, so much is worth asking the same host again, before the next one. */
const MUCH_BYTES = 256 * 1024;

/**
 * Brings a blob from a registry into the content store. It goes on where an earlier attempt stopped, by a Range request; it waits for as
 * long as somebody else is writing the same blob; the daemon verifies digest and size before anything becomes content.
 *
 * @returns `exists` when the blob was, or meanwhile is, there by somebody else's work.
 * @throws ContainerdError `data-loss` when no host gives what the digest says. Whatever is thrown, the ingest is gone.
 */
export async function fetchBlob(blob: Descriptor, options: FetchBlobOptions): Promise<"fetched" | "exists"> {
  const { repository, signal } = options;
  let offset = 0;
  const onProgress: FetchBlobOptions["onProgress"] = (state, now) => {
    offset = now;
    options.onProgress?.(state, now);
  };
  const retrier = repository.retrier(blob, () => offset);
  const distrusted = new Map<Endpoint, ContainerdError>();
  const readings: Readings = { guessed: new Set(), asSent: new Set() };
  let isResumeTrusted = true;
  for (;;) {
    const used = new Set<Endpoint>();
    let ingest: BlobIngest | undefined;
    let resumedAt = 0;
    try {
      ingest = await openIngest(blob, {
        ...options,
        clock: repository.clock,
        onWaiting: (waitingAt) => onProgress("waiting", waitingAt),
      });
      if (ingest === undefined) return "exists";
      resumedAt = ingest.offset;
      onProgress("fetching", ingest.offset);
      await fetchAll(blob, ingest, {
        ...options,
        onProgress,
        retrier,
        distrusted,
        used,
        readings,
      });
      await ingest.commit(options.labels);
      return "fetched";
    } catch (reason) {
      if (isContainerdError(reason, "already-exists")) {
        await ingest?.close();
        return "exists";
      }
      if (isDaemonAway(reason, signal)) {
        await ingest?.close();
        const cause: RegistryFailure = { isTransient: true };
        await retrier.wait(
          new ContainerdError(ContainerdError.from(reason).message, { kind: "unavailable", cause }),
          signal,
        );
        continue;
      }
      await ingest?.abandon();
      if (readings.guessed.size > 0 && !isContainerdError(reason, "canceled")) {
        for (const endpoint of readings.guessed) readings.asSent.add(endpoint);
        readings.guessed.clear();
        continue;
      }
      if (failureOf(reason) !== undefined || !isContainerdError(reason, "failed-precondition")) throw reason;
      // What an earlier attempt left may be at fault: once more, without it.
      if (resumedAt > 0 && isResumeTrusted) {
        isResumeTrusted = false;
        continue;
      }
      const [first] = used;
      if (first === undefined) throw reason;
      distrusted.set(first, wrongBytes(blob.digest, first));
    }
  }
}

interface FetchAllOptions extends FetchBlobOptions {
  readonly retrier: Retrier;
  readonly distrusted: ReadonlyMap<Endpoint, ContainerdError>;
  /** Gets the hosts whose bytes were taken. */
  readonly used: Set<Endpoint>;
  readonly readings: Readings;
}

/**
 * A blob with a Content-Encoding was coded on the way; or it is stored under that header although it is the blob itself. Where the length does not
 * tell, the first is believed until the digest says otherwise.
 */
interface Readings {
  /** Hosts whose body was decoded without certainty. */
  readonly guessed: Set<Endpoint>;
  /** Hosts whose body is taken as it was sent. */
  readonly asSent: Set<Endpoint>;
}

/** Asks for what is missing until nothing is. */
async function fetchAll(blob: Descriptor, ingest: BlobIngest, options: FetchAllOptions): Promise<void> {
  const { repository, signal, retrier, distrusted } = options;
  /** Hosts that gave little or nothing that could be used; until that is all of them. */
  const passedOver = new Map<Endpoint, ContainerdError>();
  /** How often in a row a Range was answered with a 500, which may be for the Range alone. */
  let rangeFailures = 0;
  while (ingest.offset < blob.size) {
    const from = rangeFailures < MOST_RANGE_FAILURES ? ingest.offset : 0;
    const path = `blobs/${blob.digest}`;
    const request: RepositoryRequest = {
      method: "GET",
      capability: "pull",
      path,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      except: new Map([...passedOver, ...distrusted]),
      isAlsoFine: ({ status }) => from > 0 && isRangeRefusal(status),
      signal,
    };
    const asking = repository.ask(request, async ({ endpoint, response }): Promise<unknown> => {
      const { offset } = ingest;
      try {
        if (from === 0 || isRest(blob, from, response)) {
          await takeBody(blob, ingest, { endpoint, response }, { ...options, from });
        } else {
          // Once more, for all of it: what is here already is passed over.
          await response.discard();
          const whole = await repository.askOne(endpoint, { method: "GET", to: path, signal });
          await takeBody(blob, ingest, { endpoint, response: whole }, { ...options, from: 0 });
        }
        return undefined;
      } catch (reason) {
        const failure = failureOf(reason);
        // One that brought much is asked again, from there on.
        if (failure?.isTransient === true && ingest.offset - offset >= MUCH_BYTES) return reason;
        if (failure !== undefined) passedOver.set(endpoint, ContainerdError.from(reason));
        throw reason;
      }
    });
    const failure = await asking.catch((reason: unknown) => {
      passedOver.clear();
      return reason;
    });
    rangeFailures = from > 0 && failureOf(failure)?.status === 500 ? rangeFailures + 1 : 0;
    if (failure !== undefined) await retrier.wait(failure, signal);
  }
}

/** Whether an answer to a request for the rest can be used: as the rest, or a part of it, or as the whole. */
function isRest(blob: Descriptor, from: number, response: HttpResponse): boolean {
  if (response.status === 206) return isRightRange(blob, from, response);
  return response.status < 300 && (response.codings.length > 0 || hasRightLength(blob, response));
}

/** Whether what comes is what was asked for: all from an offset on, or a part of that. */
function isRightRange(
  { size }: Descriptor,
  from: number,
  { status, header, codings }: HttpResponse,
): boolean {
  // A part of a coded body cannot be decoded.
  const range =
    status === 206 && codings.length === 0 ? parseContentRange(header("content-range")) : undefined;
  return range !== undefined && range.start === from && (range.total ?? size) === size && range.end < size;
}

/** A refusal that may be for the Range alone. What passes, and what says something else for certain, is none. */
function isRangeRefusal(status: number): boolean {
  return status >= 400 && !isTransientStatus(status) && !NOT_FOR_THE_RANGE.includes(status);
}

/** False only where another length is told. */
function hasRightLength({ size }: Descriptor, { header }: HttpResponse): boolean {
  return Number(header("content-length") ?? size) === size;
}

/** The blob's own bytes in an answer for all of it; undefined where the length is another. */
function bodyOf(
  blob: Descriptor,
  { endpoint, response }: Answered,
  { guessed, asSent }: Readings,
): AsyncIterable<Uint8Array> | undefined {
  const isRightLength = hasRightLength(blob, response);
  if (response.codings.length === 0) return isRightLength ? response.body : undefined;
  const isLengthTold = response.header("content-length") !== undefined;
  if (isRightLength && (isLengthTold || asSent.has(endpoint))) return response.rawBody;
  if (!isLengthTold) guessed.add(endpoint);
  return response.body;
}

/** Takes what is missing from an answer to a request for all from an offset on. What comes before it fails is kept. */
async function takeBody(
  blob: Descriptor,
  ingest: BlobIngest,
  answered: Answered,
  { from, retrier, used, readings, onProgress }: FetchAllOptions & { readonly from: number },
): Promise<void> {
  const { digest, size } = blob;
  const { endpoint, response } = answered;
  const isPart = isRightRange(blob, from, response);
  const isWhole = response.status !== 206;
  const body = isPart ? response.body : isWhole ? bodyOf(blob, answered, readings) : undefined;
  if (body === undefined) {
    await response.discard();
    throw wrongBytes(digest, endpoint);
  }
  used.add(endpoint);
  // A registry that does not know ranges begins at the beginning; and a host before this one may have brought a little.
  let skip = isWhole ? ingest.offset : ingest.offset - from;
  for await (const chunks of coalesce(body, WRITE_BYTES)) {
    const wanted = chunks.map((chunk) => {
      const bytes = chunk.subarray(Math.min(skip, chunk.byteLength));
      skip -= chunk.byteLength - bytes.byteLength;
      return bytes;
    });
    const length = wanted.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (ingest.offset + length > size) throw wrongBytes(digest, endpoint);
    if (length === 0) continue;
    await ingest.write(wanted);
    retrier.progress(length);
    onProgress?.("fetching", ingest.offset);
  }
  if (ingest.offset === size) return;
  const cause: RegistryFailure = { isTransient: true };
  const problem = `${endpoint.host.origin} sent only ${ingest.offset} of the ${size} bytes of ${digest}`;
  throw new ContainerdError(problem, { kind: "unavailable", cause });
}

/** The daemon's connection broke, or it restarts: what it has so far, it keeps. */
function isDaemonAway(reason: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || failureOf(reason) !== undefined) return false;
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "canceled");
}
