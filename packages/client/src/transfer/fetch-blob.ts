import { coalesce } from "../concurrency/coalesce.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
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
  readonly context: Context;
  /**
   * Name of the ingest. containerd's own clients use the same names, so clients that fetch the same blob
   * share the work.
   */
  readonly ref: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the number of bytes that the daemon has. `waiting` means that another client writes the same
   * blob.
   */
  readonly onProgress?: ((state: "waiting" | "fetching", offset: number) => void) | undefined;
}

/**
 * The daemon confirms each write, so writes are few and large. The size is well below its limit of 16 MiB for
 * a message.
 */
const WRITE_BYTES = 512 * 1024;

/** Statuses that do not concern the Range header: login needed, or the blob does not exist. */
const NOT_FOR_THE_RANGE = [401, 404, 410];

const MOST_RANGE_FAILURES = 2;

/**
 * If an answer breaks off after at least this many bytes, the same host is asked again before the next one.
 */
const MUCH_BYTES = 256 * 1024;

/**
 * Fetches a blob from a registry into the content store. A Range request continues where an earlier attempt
 * stopped. If another client writes the same blob, this waits as long as that client is writing. The daemon
 * verifies digest and size before the blob becomes content.
 *
 * @returns `exists` if the blob was already stored, or was stored meanwhile by another client.
 * @throws ContainerdError `data-loss` if no host sends bytes that match the digest. After any error, the
 * ingest is removed.
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
      // Bytes of an earlier attempt may be wrong. Try once more without them.
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
  /** The hosts whose bytes were used; filled in by {@link fetchAll}. */
  readonly used: Set<Endpoint>;
  readonly readings: Readings;
}

/**
 * How to read a body with a Content-Encoding. Either the server encoded the blob for the transfer, or it
 * sends the blob itself, stored under that header. If Content-Length does not show which, the body is
 * decoded. If the digest then does not match, the body is used as it was sent.
 */
interface Readings {
  /** Hosts whose body was decoded without knowing whether it was encoded. */
  readonly guessed: Set<Endpoint>;
  /** Hosts whose body is used as it was sent. */
  readonly asSent: Set<Endpoint>;
}

/** Requests the missing bytes until the blob is complete. */
async function fetchAll(blob: Descriptor, ingest: BlobIngest, options: FetchAllOptions): Promise<void> {
  const { repository, signal, retrier, distrusted } = options;
  /** Hosts to skip, because they sent little or nothing that could be used. Cleared when no host is left. */
  const passedOver = new Map<Endpoint, ContainerdError>();
  /** How many times in a row a Range request got a 500. The Range header itself may be the cause. */
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
          // Ask again, for the whole blob. The bytes that we already have are skipped.
          await response.discard();
          const whole = await repository.askOne(endpoint, { method: "GET", to: path, signal });
          await takeBody(blob, ingest, { endpoint, response: whole }, { ...options, from: 0 });
        }
        return undefined;
      } catch (reason) {
        const failure = failureOf(reason);
        // A host that sent much is asked again, for the rest.
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

/**
 * Whether the answer to a Range request can be used: as the rest, as a part of the rest, or as the whole
 * blob.
 */
function isRest(blob: Descriptor, from: number, response: HttpResponse): boolean {
  if (response.status === 206) return isRightRange(blob, from, response);
  return response.status < 300 && (response.codings.length > 0 || hasRightLength(blob, response));
}

/** Whether an answer is the requested range: from an offset to the end, or a part of that. */
function isRightRange(
  { size }: Descriptor,
  from: number,
  { status, header, codings }: HttpResponse,
): boolean {
  // A part of an encoded body cannot be decoded.
  const range =
    status === 206 && codings.length === 0 ? parseContentRange(header("content-range")) : undefined;
  return range !== undefined && range.start === from && (range.total ?? size) === size && range.end < size;
}

/**
 * Whether the Range header alone may be the reason for a refusal. Transient statuses, and statuses that
 * clearly mean something else, do not count.
 */
function isRangeRefusal(status: number): boolean {
  return status >= 400 && !isTransientStatus(status) && !NOT_FOR_THE_RANGE.includes(status);
}

/** False only if Content-Length differs from the size of the blob. */
function hasRightLength({ size }: Descriptor, { header }: HttpResponse): boolean {
  return Number(header("content-length") ?? size) === size;
}

/** Returns the blob's bytes from an answer with the whole blob; undefined if its length is wrong. */
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

/**
 * Writes the missing bytes of an answer to the ingest. The answer is for the bytes from the offset `from` to
 * the end. Bytes that come before a failure are kept.
 */
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
  // A registry without support for ranges sends the blob from its start. Also, an earlier host may have sent
  // some bytes after the request was built.
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

/**
 * Whether the connection to the daemon broke, or the daemon is restarting. The daemon keeps the bytes that it
 * has.
 */
function isDaemonAway(reason: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || failureOf(reason) !== undefined) return false;
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "canceled");
}
