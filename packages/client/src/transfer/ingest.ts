import type { Clock } from "../concurrency/clock.js";
import { withTimeout } from "../concurrency/with-timeout.js";
import type { Content } from "../content/content.js";
import { type ContentWriter, openWriter } from "../content/writer.js";
import type { Services } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";

export interface IngestOptions {
  readonly services: Services;
  readonly content: Content;
  readonly clock: Clock;
  /** Names it; one writer at a time. */
  readonly ref: string;
  readonly signal?: AbortSignal | undefined;
  /** Called while somebody else has it open, with the bytes that are there. */
  readonly onWaiting?: ((offset: number) => void) | undefined;
}

/** A blob on its way into the content store, held open by us. */
export interface BlobIngest {
  /** Bytes that the daemon has, by whomever. */
  readonly offset: number;
  write(bytes: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /** @throws ContainerdError `failed-precondition` when digest or size is another. */
  commit(labels: Readonly<Record<string, string>>): Promise<void>;
  /** Leaves what is there, to be gone on with. */
  close(): Promise<void>;
  /** Leaves nothing. */
  abandon(): Promise<void>;
}

/** Longer than a healthy daemon takes, even with a slow disk; and where it may read or write the whole blob, so long for each megabyte. */
const ANSWER_TIMEOUT_MS = 60_000;
const PER_MEGABYTE_MS = 100;
const CLEANUP_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 1_000;
/** Of an ingest that does not grow for so long, the writer may have gone without a word. */
const IDLE_MS = 3_000;

/**
 * Opens the ingest of a blob, as soon as nobody else has it open.
 *
 * @returns undefined when the blob is there: it is on our lease then, which asking for it alone would not do.
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
    // While one that is locked is opened, a daemon of version 1 holds up everything that others want it to write. To look is cheap.
    let offset = -1;
    let sinceMs = clock.monotonicMs();
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
      const status = await content.status(ref, { signal }).catch((reason: unknown) => {
        if (isContainerdError(reason, "not-found")) return undefined;
        throw reason;
      });
      if (status === undefined) break;
      if (status.offset !== offset) sinceMs = clock.monotonicMs();
      offset = status.offset;
      options.onWaiting?.(offset);
      if (clock.monotonicMs() - sinceMs > IDLE_MS) break;
      await clock.sleep(delayMs, signal).catch((cause: unknown) => {
        throw new ContainerdError(`wait for ingest ${ref}: aborted by the caller`, {
          kind: "canceled",
          cause,
        });
      });
    }
  }
}

/**
 * Brings bytes that are at hand, and verified, into the content store.
 *
 * @returns whether they were there already.
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
      // An earlier attempt may have left something else: that is gone now.
      if (isSecond || !isContainerdError(reason, "failed-precondition")) throw reason;
    }
  }
}

/**
 * How long the daemon may take to open or to commit an ingest, in milliseconds: it hashes again what an earlier attempt left, and waits for its disk.
 *
 * @param size of the blob, in bytes.
 */
export function wholeBlobTimeoutMs(size: number): number {
  return ANSWER_TIMEOUT_MS + Math.ceil((size / 1_000_000) * PER_MEGABYTE_MS);
}

async function openNow(
  { digest, size }: Descriptor,
  { services, content, ref, signal }: IngestOptions,
): Promise<BlobIngest> {
  // Not the caller's signal: by it the daemon would let go of the ingest, and somebody else could open it, before we have removed it.
  const stream = new AbortController();
  const limits = { signal, timeoutMs: ANSWER_TIMEOUT_MS };
  const wholeBlob = { signal, timeoutMs: wholeBlobTimeoutMs(size) };
  const opening = openWriter(services.content, { ref, size, digest, signal: stream.signal }).then(toIngest);

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
        // First removed, then let go: the other way round, the one who waits for it would write into what is removed.
        await content.abort(ref, { timeoutMs: CLEANUP_TIMEOUT_MS }).catch(() => undefined);
        await close();
      },
    };
  }

  try {
    return await withTimeout(opening, { ...wholeBlob, what: `open ingest ${ref}` });
  } catch (reason) {
    // The daemon may have made it all the same.
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
