import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { type ByteReader, createByteReader } from "./byte-reader.js";
import { ContainerdError } from "./error.js";
import { refuse } from "./refuse.js";

/**
 * The largest window that a stream may need, as a power of two, in bytes. It is the default of the zstd
 * program.
 */
const MAX_WINDOW_LOG = 27;

const MAGIC = 0xfd2fb528;
/** This number and the next 15 mark a skippable frame. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Whether the bytes begin with a zstd frame or with a skippable one. */
export function isZstd(head: Uint8Array): boolean {
  return head.byteLength >= 4 && isMagic(Buffer.from(head).readUInt32LE());
}

function isMagic(magic: number): boolean {
  return magic === MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return magic - (magic % 16) === SKIPPABLE_MAGIC;
}

/**
 * Decompresses all frames of a zstd stream. It needs Node 22.15 or later. Node's own decoder stops after the
 * first frame.
 *
 * @param what names the compressed data in an error.
 * @throws ContainerdError `not-implemented` on an older Node.
 */
export async function* unzstd(source: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  for await (const frame of zstdFrames(source, what)) {
    const decoder = createUnzstd(what);
    // An error reaches the reader through the decoder.
    pipeline(Readable.from(frame), decoder).catch(() => undefined);
    yield* decoder as AsyncIterable<Uint8Array>;
  }
}

/**
 * Splits a stream into its frames and leaves out skippable ones (RFC 8878, 3.1). Read each frame to its end
 * before you ask for the next. Bytes after the last frame are ignored, as after gzip.
 *
 * @throws ContainerdError `invalid-argument` when the stream is cut off.
 */
export async function* zstdFrames(
  source: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<AsyncGenerator<Uint8Array>> {
  const reader = createByteReader(source);
  for (;;) {
    const head = await reader.read(4);
    const magic = head.byteLength < 4 ? 0 : head.readUInt32LE();
    if (magic === MAGIC) yield frame(reader, head, what);
    else if (isSkippable(magic)) await skip(reader, (await exactly(reader, 4, what)).readUInt32LE());
    else break;
  }
  await skip(reader);
}

async function* frame(reader: ByteReader, magic: Buffer, what: string): AsyncGenerator<Uint8Array> {
  const descriptor = await exactly(reader, 1, what);
  yield magic;
  yield descriptor;
  const flags = descriptor[0] ?? 0;
  const isSingleSegment = (flags & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  yield await exactly(reader, (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes, what);
  for (let isLast = false; !isLast; ) {
    const header = await exactly(reader, 3, what);
    yield header;
    const block = header.readUIntLE(0, 3);
    isLast = (block & 1) !== 0;
    const isRepeated = ((block >> 1) & 3) === 1;
    const size = isRepeated ? 1 : block >> 3;
    if (size > 0) yield await exactly(reader, size, what);
  }
  const hasChecksum = (flags & 4) !== 0;
  if (hasChecksum) yield await exactly(reader, 4, what);
}

async function exactly(reader: ByteReader, count: number, what: string): Promise<Buffer> {
  const bytes = await reader.read(count);
  if (bytes.byteLength === count) return bytes;
  return refuse(`${what} ends in the middle of its zstd compression: it was cut off`);
}

async function skip(reader: ByteReader, count?: number): Promise<void> {
  for await (const _ of reader.pieces(count));
}

/**
 * Decompresses one frame.
 *
 * @throws ContainerdError `not-implemented` on Node before 22.15.
 */
function createUnzstd(what: string): Transform {
  const { createZstdDecompress, constants } = zlib as unknown as {
    createZstdDecompress?: (options: { params: Record<number, number> }) => Transform;
    constants: { readonly ZSTD_d_windowLogMax: number };
  };
  if (createZstdDecompress === undefined) {
    throw new ContainerdError(
      `${what} is compressed with zstd, which needs Node.js 22.15 or later; allowed: gzip, or no compression`,
      { kind: "not-implemented" },
    );
  }
  return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } });
}
