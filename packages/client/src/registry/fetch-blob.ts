import type { Content } from "../content.js";
import type { Services } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { batch } from "./batch.js";
import { parseContentRange } from "./content-range.js";
import { wrongBytes } from "./document.js";
import type { Endpoint } from "./endpoint.js";
import { failureOf, type RegistryFailure } from "./failure.js";
import { type BlobIngest, openIngest } from "./ingest.js";
import type { Answered, Repository, RepositoryRequest } from "./repository.js";
import type { Retrier } from "./retrier.js";

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
  const { repository, signal, onProgress } = options;
  const retrier = repository.retrier();
  const distrusted = new Map<Endpoint, ContainerdError>();
  let isResumeTrusted = true;
  for (;;) {
    const used = new Set<Endpoint>();
    let ingest: BlobIngest | undefined;
    let resumedAt = 0;
    try {
      ingest = await openIngest(blob, {
        ...options,
        clock: repository.clock,
        onWaiting: (offset) => onProgress?.("waiting", offset),
      });
      if (ingest === undefined) return "exists";
      resumedAt = ingest.offset;
      onProgress?.("fetching", ingest.offset);
      await fetchAll(blob, ingest, { ...options, retrier, distrusted, used });
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
}

/** Asks for what is missing until nothing is. */
async function fetchAll(blob: Descriptor, ingest: BlobIngest, options: FetchAllOptions): Promise<void> {
  const { repository, signal, retrier, distrusted } = options;
  /** Hosts that gave little or nothing that could be used; until that is all of them. */
  const passedOver = new Map<Endpoint, ContainerdError>();
  while (ingest.offset < blob.size) {
    const from = ingest.offset;
    const request: RepositoryRequest = {
      method: "GET",
      capability: "pull",
      path: `blobs/${blob.digest}`,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      except: new Map([...passedOver, ...distrusted]),
      alsoFine: from > 0 ? [416] : [],
      signal,
    };
    const asking = repository.ask(request, async (answered): Promise<unknown> => {
      const { offset } = ingest;
      try {
        await takeBody(blob, ingest, answered, { ...options, from });
        return undefined;
      } catch (reason) {
        const failure = failureOf(reason);
        // One that brought much is asked again, from there on.
        if (failure?.isTransient === true && ingest.offset - offset >= MUCH_BYTES) return reason;
        if (failure !== undefined) passedOver.set(answered.endpoint, ContainerdError.from(reason));
        throw reason;
      }
    });
    const failure = await asking.catch((reason: unknown) => {
      passedOver.clear();
      return reason;
    });
    if (failure !== undefined) await retrier.wait(failure, signal);
  }
}

/** Takes what is missing from an answer to a request for all from an offset on. What comes before it fails is kept. */
async function takeBody(
  { digest, size }: Descriptor,
  ingest: BlobIngest,
  { endpoint, response }: Answered,
  { from, retrier, used, onProgress }: FetchAllOptions & { readonly from: number },
): Promise<void> {
  const range = response.status === 206 ? parseContentRange(response.header("content-range")) : undefined;
  const length = Number(response.header("content-length") ?? Number.NaN);
  const isRightRange =
    range !== undefined && range.start === from && (range.total ?? size) === size && range.end < size;
  const isWhole = response.status === 200 && (Number.isNaN(length) || length === size);
  if (!isRightRange && !isWhole) {
    await response.discard();
    throw wrongBytes(digest, endpoint);
  }
  used.add(endpoint);
  // A registry that does not know ranges begins at the beginning; and a host before this one may have brought a little.
  let skip = isWhole ? ingest.offset : ingest.offset - from;
  for await (const chunks of batch(response.body, WRITE_BYTES)) {
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
  const problem = `${endpoint.host.origin} gives only ${ingest.offset} of the ${size} bytes of ${digest}`;
  throw new ContainerdError(problem, { kind: "unavailable", cause });
}

/** The daemon's connection broke, or it restarts: what it has so far, it keeps. */
function isDaemonAway(reason: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || failureOf(reason) !== undefined) return false;
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "canceled");
}
