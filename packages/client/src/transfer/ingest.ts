import { createBackoff } from "../concurrency/backoff.js";
import { canceled } from "../concurrency/canceled.js";
import type { Clock } from "../concurrency/clock.js";
import { withTimeout } from "../concurrency/with-timeout.js";
import type { Content } from "../content/content.js";
import { openLastingWriter } from "../content/lasting-writer.js";
import type { ContentWriter } from "../content/writer.js";
import type { Context } from "../context.js";
import { isContainerdError } from "../error.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import type { Descriptor } from "../oci/descriptor.js";

export interface IngestOptions {
  readonly context: Context;
  readonly content: Content;
  readonly clock: Clock;
  /** Name of the ingest. Only one writer at a time can have it open. */
  readonly ref: string;
  readonly signal?: AbortSignal | undefined;
  /** Called while another client has the ingest open, with the number of bytes that the daemon has. */
  readonly onWaiting?: ((offset: number) => void) | undefined;
}

/** A blob that is being written to the content store. We have its ingest open. */
export interface BlobIngest {
  /** Bytes that the daemon has, from any client. */
  readonly offset: number;
  write(bytes: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /**
   * Turns the bytes into content.
   *
   * @throws ContainerdError `failed-precondition` if the digest or the size does not match.
   */
  commit(labels: Readonly<Record<string, string>>): Promise<void>;
  /** Closes the ingest and keeps its bytes, so that another attempt can continue. */
  close(): Promise<void>;
  /** Removes the ingest and its bytes. */
  abandon(): Promise<void>;
}

/**
 * A healthy daemon answers sooner, even with a slow disk. If it may have to read or write the whole blob,
 * PER_MEGABYTE_MS is added for each megabyte.
 */
const ANSWER_TIMEOUT_MS = 60_000;
const PER_MEGABYTE_MS = 100;
const CLEANUP_TIMEOUT_MS = 10_000;
/** If an ingest does not grow for this long, its writer may be gone without having closed it. */
const IDLE_MS = 3_000;

/**
 * Opens the ingest of a blob, as soon as no other client has it open.
 *
 * @returns undefined if the blob is already stored. It is then on our lease; only looking it up would not add
 * it there.
 */
export async function openIngest(blob: Descriptor, options: IngestOptions): Promise<BlobIngest | undefined> {
  const { content, clock, ref, signal } = options;
  for (;;) {
    try {
      return await openNow(blob, options);
    } catch (reason) {
      if (isContainerdError(reason, "already-exists")) return undefined;
      if (!isLocked(reason)) throw reason;
    }
    // Poll the status, which is cheap. While a client tries to open a locked ingest, containerd 1 blocks all
    // other writers.
    let offset = -1;
    let sinceMs = clock.monotonicMs();
    const backoff = createBackoff(clock.sleep);
    for (;;) {
      const status = await ignoreNotFound(content.status(ref, { signal }));
      if (status === undefined) break;
      if (status.offset !== offset) sinceMs = clock.monotonicMs();
      offset = status.offset;
      options.onWaiting?.(offset);
      if (clock.monotonicMs() - sinceMs > IDLE_MS) break;
      await backoff.wait(signal).catch((cause: unknown) => {
        throw canceled(`wait for ingest ${ref}`, cause);
      });
    }
  }
}

/**
 * Stores bytes that are in memory and verified in the content store.
 *
 * @returns `exists` if the content store already had them.
 */
export async function storeBytes(
  blob: Descriptor,
  bytes: Uint8Array,
  labels: Readonly<Record<string, string>>,
  options: IngestOptions,
): Promise<"stored" | "exists"> {
  for (let isSecond = false; ; isSecond = true) {
    const ingest = await openIngest(blob, options);
    if (ingest === undefined) return "exists";
    try {
      if (ingest.offset < bytes.byteLength) await ingest.write(bytes.subarray(ingest.offset));
      await ingest.commit(labels);
      return "stored";
    } catch (reason) {
      await ingest.abandon();
      if (isContainerdError(reason, "already-exists")) return "exists";
      // An earlier attempt may have left other bytes. They are removed now, so try once more.
      if (isSecond || !isContainerdError(reason, "failed-precondition")) throw reason;
    }
  }
}

/**
 * How long the daemon may take to open or commit an ingest, in milliseconds. It hashes again the bytes of an
 * earlier attempt, and waits for its disk.
 *
 * @param size size of the blob, in bytes.
 */
export function wholeBlobTimeoutMs(size: number): number {
  return ANSWER_TIMEOUT_MS + Math.ceil((size / 1_000_000) * PER_MEGABYTE_MS);
}

async function openNow(
  { digest, size }: Descriptor,
  { context, content, ref, signal }: IngestOptions,
): Promise<BlobIngest> {
  // Do not use the caller's signal. On abort, the daemon would unlock the ingest, and another client could
  // open it before we have removed it.
  const stream = new AbortController();
  const limits = { signal, timeoutMs: ANSWER_TIMEOUT_MS };
  const wholeBlob = { signal, timeoutMs: wholeBlobTimeoutMs(size) };
  const opening = openLastingWriter(context, { ref, size, digest, signal: stream.signal }).then(toIngest);

  function toIngest(writer: ContentWriter): BlobIngest {
    async function close(): Promise<void> {
      const closing = Promise.resolve(writer[Symbol.asyncDispose]());
      await withTimeout(closing, { timeoutMs: CLEANUP_TIMEOUT_MS, what: `close ingest ${ref}` }).catch(
        () => undefined,
      );
      stream.abort();
    }
    return {
      get offset() {
        return writer.offset;
      },
      write: (bytes) => withTimeout(writer.write(bytes), { ...limits, what: `write to ingest ${ref}` }),
      async commit(labels) {
        await withTimeout(writer.commit({ digest, size, labels }), {
          ...wholeBlob,
          what: `commit ingest ${ref}`,
        });
      },
      close,
      async abandon() {
        // Remove the ingest before closing it. Otherwise a client that waits for it would open it, and write
        // into an ingest that is then removed.
        await content.abort(ref, { timeoutMs: CLEANUP_TIMEOUT_MS }).catch(() => undefined);
        await close();
      },
    };
  }

  try {
    return await withTimeout(opening, { ...wholeBlob, what: `open ingest ${ref}` });
  } catch (reason) {
    // The daemon may have opened the ingest after the time-out.
    const late = { timeoutMs: CLEANUP_TIMEOUT_MS, what: `open ingest ${ref}` };
    await withTimeout(opening, late)
      .then((ingest) => ingest.abandon())
      .catch(() => stream.abort());
    throw reason;
  }
}

function isLocked(reason: unknown): boolean {
  return isContainerdError(reason, "unavailable") && /locked/.test(reason.message);
}
