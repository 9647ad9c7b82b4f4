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
import type { Repository } from "./repository.js";

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
  const distrusted = new Set<Endpoint>();
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
      while (ingest.offset < blob.size) {
        try {
          await fetchRest(blob, ingest, { ...options, distrusted, used, onBytes: retrier.progress });
        } catch (reason) {
          await retrier.wait(reason, signal);
        }
      }
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
      if (!isContainerdError(reason, "failed-precondition") && !isContainerdError(reason, "data-loss"))
        throw reason;
      if (failureOf(reason) !== undefined) throw reason;
      // What an earlier attempt left may be at fault: once more, without it.
      if (resumedAt > 0 && isResumeTrusted) {
        isResumeTrusted = false;
        continue;
      }
      const [first] = used;
      if (first === undefined) throw reason;
      distrusted.add(first);
      if (distrusted.size === repository.endpoints("pull").length) throw wrongBytes(blob.digest, first);
    }
  }
}

interface FetchRestOptions extends FetchBlobOptions {
  readonly distrusted: ReadonlySet<Endpoint>;
  /** Gets the host whose bytes were taken. */
  readonly used: Set<Endpoint>;
  readonly onBytes: () => void;
}

/** One request for what is missing; what comes before it fails is kept. */
async function fetchRest(
  { digest, size }: Descriptor,
  ingest: BlobIngest,
  options: FetchRestOptions,
): Promise<void> {
  const { repository, signal, distrusted, used, onProgress, onBytes } = options;
  const offset = ingest.offset;
  const { endpoint, response } = await repository.ask({
    method: "GET",
    capability: "pull",
    path: `blobs/${digest}`,
    headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
    except: distrusted,
    alsoFine: offset > 0 ? [416] : [],
    signal,
  });
  used.add(endpoint);
  const range = response.status === 206 ? parseContentRange(response.header("content-range")) : undefined;
  const length = Number(response.header("content-length") ?? Number.NaN);
  const isRightRange =
    range !== undefined && range.start === offset && (range.total ?? size) === size && range.end < size;
  const isWhole = response.status === 200 && (Number.isNaN(length) || length === size);
  if (!isRightRange && !isWhole) {
    await response.discard();
    throw wrongBytes(digest, endpoint);
  }
  // A registry that does not know ranges begins at the beginning.
  let skip = isWhole ? offset : 0;
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
    onBytes();
    onProgress?.("fetching", ingest.offset);
  }
  if (ingest.offset > offset) return;
  const cause: RegistryFailure = { isTransient: true };
  throw new ContainerdError(`${endpoint.host.origin} gives no bytes of ${digest}`, {
    kind: "unavailable",
    cause,
  });
}

/** The daemon's connection broke, or it restarts: what it has so far, it keeps. */
function isDaemonAway(reason: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || failureOf(reason) !== undefined) return false;
  return isContainerdError(reason, "unavailable") || isContainerdError(reason, "canceled");
}
