import type { Info, Status } from "@wfe-containerd/proto/services/content";
import { CALL_OPTIONS, type CallOptions, callService, callStream } from "../call.js";
import { createBackoff } from "../concurrency/backoff.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { checkLabels } from "../identifier.js";
import type { NounOptions } from "../options.js";
import { resume, resumeList } from "../outage/resume.js";
import { toDate } from "../timestamp.js";
import { openLastingWriter } from "./lasting-writer.js";
import { type ContentWriter, OPEN_WRITER_OPTIONS, type OpenWriterOptions } from "./writer.js";

/** A blob in the content store. */
export interface ContentInfo {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
}

/** Content that is being written. */
export interface Ingest {
  readonly ref: string;
  /** Bytes written so far, and the total. The total is 0 if it is not known. */
  readonly offset: number;
  readonly total: number;
  readonly expected: string;
  readonly startedAt: Date;
}

/** Options of {@link Content.write}. */
export interface WriteOptions extends OpenWriterOptions {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Called with the number of bytes that the daemon has received. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

/** Options of {@link Content.read}. */
export interface ReadOptions {
  /**
   * The first byte to read.
   *
   * @default 0
   */
  readonly offset?: number | undefined;
  /** How many bytes to read. Default: to the end. */
  readonly size?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Content.readAll}. */
export interface ReadAllOptions {
  /** Largest size of the blob, in bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes to write. Give all of them, or a function that returns the bytes from an offset on. With a
 * function, a partial write can be resumed.
 */
export type WriteSource = AsyncIterable<Uint8Array> | ((offset: number) => AsyncIterable<Uint8Array>);

/** containerd's content store (`services/content/v1`): blobs, found by their digest. */
export interface Content {
  /**
   * Reads size, labels and creation time of a blob.
   *
   * @throws ContainerdError `not-found`.
   */
  info(digest: string, options?: CallOptions): Promise<ContentInfo>;
  /** Lists blobs. With filters, in containerd's filter language, a blob is listed if any filter matches. */
  list(filters?: readonly string[], options?: CallOptions): AsyncIterable<ContentInfo>;
  /**
   * Reads `size` bytes (default: to the end) from `offset` (default 0).
   *
   * @throws ContainerdError `not-found`.
   */
  read(digest: string, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /**
   * Reads a small blob into memory.
   *
   * @throws ContainerdError `not-found`; `out-of-range` when it has more than `maxBytes`.
   */
  readAll(digest: string, options: ReadAllOptions): Promise<Uint8Array>;
  /**
   * Writes a blob. A digest that the daemon already has, in any namespace, counts as written. If another
   * writer has the ingest open, this call waits for it. A partial ingest is resumed if `source` is a
   * function, otherwise it is started again.
   *
   * @throws ContainerdError `failed-precondition` when the digest or size is not the expected one. The ingest
   * is then removed.
   */
  write(options: WriteOptions, source: WriteSource): Promise<{ digest: string; size: number }>;
  /** Opens an ingest for writing. Waits while another writer has it open. */
  openWriter(options: OpenWriterOptions): Promise<ContentWriter>;
  /** Sets these labels and leaves the others unchanged. An empty value removes the label. */
  setLabels(digest: string, labels: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  /**
   * Deletes a blob.
   *
   * @throws ContainerdError `not-found`.
   */
  delete(digest: string, options?: CallOptions): Promise<void>;
  /**
   * Reads the state of an ingest.
   *
   * @throws ContainerdError `not-found`.
   */
  status(ref: string, options?: CallOptions): Promise<Ingest>;
  /** Lists the ingests. */
  listStatuses(filters?: readonly string[], options?: CallOptions): Promise<Ingest[]>;
  /**
   * Removes an ingest and its bytes.
   *
   * @throws ContainerdError `not-found`.
   */
  abort(ref: string, options?: CallOptions): Promise<void>;
}

/** How often to remove an ingest that a cancelled writer may still be closing. */
const ABORT_TRIES = 7;
export const CONTENT_OPTIONS: NounOptions<Content> = {
  info: ["1", CALL_OPTIONS],
  list: ["1", CALL_OPTIONS, "throws"],
  read: ["1", { offset: true, size: true, signal: true }, "throws"],
  readAll: ["1", { maxBytes: true, signal: true }],
  write: ["0", { ...OPEN_WRITER_OPTIONS, labels: true, onProgress: true }],
  openWriter: ["0", OPEN_WRITER_OPTIONS],
  setLabels: ["2", CALL_OPTIONS],
  delete: ["1", CALL_OPTIONS],
  status: ["1", CALL_OPTIONS],
  listStatuses: ["1", CALL_OPTIONS],
  abort: ["1", CALL_OPTIONS],
};

export function createContent(context: Context): Content {
  const { content } = context.services;

  async function* read(
    digest: string,
    { offset = 0, size = 0, signal }: ReadOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let received = 0;
    yield* resume(context, "content.read", signal, async function* (cut) {
      // A size of 0 would mean: to the end.
      if (size > 0 && received >= size) return;
      const rest = { offset: BigInt(offset + received), size: BigInt(size > 0 ? size - received : 0) };
      const chunks = callStream(`read content ${digest}`, cut, (end) =>
        content.read({ digest, ...rest }, { signal: end }),
      );
      for await (const { data } of chunks) {
        received += data.byteLength;
        yield data;
      }
    });
  }

  /**
   * Waits while another writer has the ingest open. That writer may finish the blob, or leave bytes to resume
   * from.
   */
  async function openWhenFree(options: OpenWriterOptions): Promise<ContentWriter> {
    const backoff = createBackoff();
    for (;;) {
      try {
        return await openLastingWriter(context, options);
      } catch (reason) {
        if (!isContainerdError(reason, "unavailable") || !/locked/.test(reason.message)) throw reason;
        await backoff.wait(options.signal);
      }
    }
  }

  async function abort(ref: string, options?: CallOptions): Promise<void> {
    const backoff = createBackoff();
    for (let tries = 1; ; tries++) {
      try {
        return await callService(
          `abort ingest ${ref}`,
          async () => void (await content.abort({ ref }, options)),
        );
      } catch (reason) {
        // A writer whose call was cancelled may still be closing. The file that it writes then stops the
        // removal.
        if (!/directory not empty/.test(String(reason)) || tries >= ABORT_TRIES) throw reason;
        await callService(`abort ingest ${ref}`, () => backoff.wait(options?.signal));
      }
    }
  }

  async function write(
    options: WriteOptions,
    source: WriteSource,
  ): Promise<{ digest: string; size: number }> {
    const { ref, digest, size, labels, onProgress } = options;
    try {
      let writer = await openWhenFree(options);
      const isWhole = digest !== undefined && writer.offset === size;
      if (writer.offset > 0 && !isWhole && typeof source !== "function") {
        await writer[Symbol.asyncDispose]();
        await abort(ref);
        writer = await openWhenFree(options);
      }
      await using open = writer;
      // A new ingest can already be full: the daemon has the blob from another namespace. Bytes written now
      // would be appended to it.
      const isThere = isWhole || (open.offset > 0 && typeof source !== "function");
      const rest = typeof source === "function" ? () => source(open.offset) : () => source;
      for await (const chunk of isThere ? [] : rest()) {
        await open.write(chunk);
        onProgress?.(open.offset);
      }
      return await open.commit({ digest, size, labels: checkLabels(labels) });
    } catch (reason) {
      if (isContainerdError(reason, "already-exists") && digest !== undefined) {
        const info = await callService(`get content ${digest}`, () => content.info({ digest }));
        return { digest, size: Number(info.info?.size ?? 0n) };
      }
      if (isContainerdError(reason, "failed-precondition")) await abort(ref).catch(() => undefined);
      throw reason;
    }
  }

  return {
    info: (digest, options) =>
      callService(`get content ${digest}`, async () =>
        toInfo((await content.info({ digest }, options)).info as Info),
      ),
    async *list(filters = [], options) {
      const request = { filters: [...filters] };
      const open = (signal: AbortSignal) => content.list(request, { ...options, signal });
      yield* resumeList(
        context,
        "content.list",
        options?.signal,
        ({ digest }) => digest,
        async function* (cut) {
          for await (const { info } of callStream("list content", cut, open)) yield* info.map(toInfo);
        },
      );
    },
    read,
    async readAll(digest, { maxBytes, signal }) {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of read(digest, { signal })) {
        size += chunk.byteLength;
        if (size > maxBytes) {
          throw new ContainerdError(`content ${digest} is too large; allowed: up to ${maxBytes} bytes`, {
            kind: "out-of-range",
          });
        }
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    write,
    openWriter: openWhenFree,
    async setLabels(digest, labels, options) {
      // With an empty field list the daemon would update all fields, and remove the existing labels.
      if (Object.keys(labels).length === 0) return;
      const paths = Object.keys(labels).map((label) => `labels.${label}`);
      const request = { info: { digest, labels: checkLabels(labels) }, updateMask: { paths } };
      await callService(`label content ${digest}`, () => content.update(request, options));
    },
    async delete(digest, options) {
      await callService(`delete content ${digest}`, () => content.delete({ digest }, options));
    },
    status: (ref, options) =>
      callService(`get ingest ${ref}`, async () =>
        toIngest((await content.status({ ref }, options)).status as Status),
      ),
    listStatuses: (filters = [], options) =>
      callService("list ingests", async () => {
        return (await content.listStatuses({ filters: [...filters] }, options)).statuses.map(toIngest);
      }),
    abort,
  };
}

function toInfo({ digest, size, labels, createdAt }: Info): ContentInfo {
  return {
    digest,
    size: Number(size),
    labels,
    createdAt: toDate(createdAt),
  };
}

function toIngest({ ref, offset, total, expected, startedAt }: Status): Ingest {
  return { ref, offset: Number(offset), total: Number(total), expected, startedAt: toDate(startedAt) };
}
