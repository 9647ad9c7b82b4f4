import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  WriteAction,
  WriteContentRequestSchema,
  type WriteContentResponse,
} from "@wfe-containerd/proto/services/content";
import { callService } from "../call.js";
import { createNotifier } from "../concurrency/notifier.js";
import type { Services } from "../context.js";
import { ContainerdError } from "../error.js";
import { checkOptions, type OptionNames } from "../options.js";
import { serializeAs } from "../transport/message.js";
import { allocateRequest, encodeWrite } from "./request.js";

type Request = MessageInitShape<typeof WriteContentRequestSchema>;

/** Options of `Content.openWriter`. */
export interface OpenWriterOptions {
  /**
   * Name of the ingest. Opening an existing ingest continues at its offset. Only one writer can have it open
   * at a time.
   */
  readonly ref: string;
  /** Size in bytes and digest of the complete blob, if known. The daemon then refuses anything else. */
  readonly size?: number | undefined;
  readonly digest?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const OPEN_WRITER_OPTIONS: OptionNames<OpenWriterOptions> = {
  ref: true,
  size: true,
  digest: true,
  signal: true,
};

/** What a writer makes of its ingest. */
export interface CommitOptions {
  /** The expected digest and size in bytes. Default: those that the ingest was opened with. */
  readonly digest?: string | undefined;
  readonly size?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * An ingest that is being written. Disposing it without a commit keeps the written bytes, to be resumed or
 * aborted.
 */
export interface ContentWriter extends AsyncDisposable {
  /** Bytes written so far. */
  readonly offset: number;
  /** Appends bytes, in requests of at most 512 KiB. Resolves when the daemon has them. */
  write(chunk: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /**
   * Turns the ingest into content.
   *
   * @throws ContainerdError `already-exists`; `failed-precondition` when the digest or size is not the
   * expected one.
   */
  commit(options: CommitOptions): Promise<{ digest: string; size: number }>;
}

const REQUEST_BYTES = 512 * 1024;

/**
 * Opens an ingest.
 *
 * @throws ContainerdError `unavailable` while another writer has it open; `already-exists` when the digest is
 * already in the content store.
 */
export async function openWriter(
  content: Services["content"],
  { ref, size, digest = "", signal }: OpenWriterOptions,
): Promise<ContentWriter> {
  const requests = createRequests();
  const responses = content.write(requests, { signal, timeoutMs: 0 })[Symbol.asyncIterator]();
  const total = BigInt(size ?? 0);
  let offset = 0;
  let space: Buffer | undefined;

  async function ask(operation: string, request: Request): Promise<WriteContentResponse> {
    return callService(`${operation} ${ref}`, async () => {
      requests.push(request);
      const response = await responses.next();
      if (response.done !== true) return response.value;
      throw new ContainerdError("the daemon ended the stream", { kind: "internal" });
    });
  }

  async function close(): Promise<void> {
    requests.end();
    // Reading to the end gives the daemon time to release the ingest's lock before this resolves.
    while ((await responses.next().catch(() => ({ done: true }))).done !== true);
  }

  try {
    const stat = await ask("open ingest", { action: WriteAction.STAT, ref, total, expected: digest });
    offset = Number(stat.offset);
  } catch (reason) {
    await close();
    throw reason;
  }

  return {
    get offset() {
      return offset;
    },
    async write(chunks) {
      for (const data of inRequests(chunks instanceof Uint8Array ? [chunks] : chunks)) {
        const request = create(WriteContentRequestSchema, {
          action: WriteAction.WRITE,
          ref,
          total,
          expected: digest,
          offset: BigInt(offset),
        });
        // All requests share one buffer: the daemon has answered the previous request.
        space ??= allocateRequest(REQUEST_BYTES);
        const response = await ask(
          "write to ingest",
          serializeAs(request, encodeWrite(request, data, space)),
        );
        offset = Number(response.offset);
      }
    },
    async commit(expected) {
      checkOptions("writer.commit", expected, { digest: true, size: true, labels: true });
      const response = await ask("commit ingest", {
        action: WriteAction.COMMIT,
        ref,
        offset: BigInt(offset),
        total: BigInt(expected.size ?? size ?? 0),
        expected: expected.digest ?? digest,
        labels: { ...expected.labels },
      });
      await close();
      return { digest: response.digest, size: Number(response.offset) };
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Groups chunks, with at most {@link REQUEST_BYTES} a group. Larger chunks are cut. */
function* inRequests(chunks: readonly Uint8Array[]): Iterable<Uint8Array[]> {
  let group: Uint8Array[] = [];
  let room = REQUEST_BYTES;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + room);
      group.push(part);
      at += part.byteLength;
      room -= part.byteLength;
      if (room > 0) continue;
      yield group;
      group = [];
      room = REQUEST_BYTES;
    }
  }
  if (group.length > 0) yield group;
}

/** An async iterable of the requests that are pushed to it. */
function createRequests(): AsyncIterable<Request> & { push(request: Request): void; end(): void } {
  const waiting: Request[] = [];
  let ended = false;
  const notifier = createNotifier();
  return {
    push(request) {
      waiting.push(request);
      notifier.notify();
    },
    end() {
      ended = true;
      notifier.notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else if (ended) return;
        else await notifier.wait();
      }
    },
  };
}
