import { createByteReader } from "../byte-reader.js";
import { refuse } from "../refuse.js";

const BLOCK = 512;
/** Largest PAX header, in bytes. It has names and numbers for the next entry. */
const MAX_PAX_BYTES = 1024 * 1024;
/** Types without data: links, devices, directories and FIFOs. The size in their header is ignored. */
const HEADER_ONLY = new Set(["1", "2", "3", "4", "5", "6"]);

/**
 * Passes a tar on up to its end: two blocks of zeros, or the end of the stream. Bytes after the end are read
 * and dropped. The npm package that reads the entries would read on after the end, and would let a global PAX
 * header rename entries. GNU tar, `ctr` and the daemon (Go's archive/tar) do neither.
 *
 * @throws ContainerdError `invalid-argument` when the tar is cut off in an entry.
 */
export async function* untilTarEnd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = createByteReader(source);
  let paxSize: number | undefined;
  for (let zeroBlocks = 0; zeroBlocks < 2; ) {
    const header = await reader.read(BLOCK);
    if (header.byteLength === 0) break;
    if (header.every((byte) => byte === 0)) {
      zeroBlocks++;
      continue;
    }
    if (zeroBlocks > 0)
      refuse(
        "the archive has more data after one block of zeros",
        "two blocks of zeros, and only at the end",
      );
    if (header.byteLength < BLOCK) refuse("the archive ends in the middle of a header: it was cut off");

    const type = String.fromCharCode(header[156] ?? 0);
    const size = paxSize ?? sizeOf(header);
    const isHeaderOnly = HEADER_ONLY.has(type);
    const dataBytes = isHeaderOnly ? 0 : size;
    paxSize = undefined;
    if (!(size >= 0)) {
      // This is not a tar. The reader of the entries reports the error.
      yield header;
      yield* reader.pieces();
      return;
    }
    if (type === "g") {
      for await (const _ of reader.pieces(padded(size)));
      continue;
    }
    yield isHeaderOnly && size > 0 ? withoutSize(header) : header;
    if (type === "x" && size <= MAX_PAX_BYTES) {
      const records = await reader.read(padded(size));
      paxSize = sizeOfPax(records.subarray(0, size));
      yield records;
      continue;
    }
    let taken = 0;
    for await (const piece of reader.pieces(padded(dataBytes))) {
      taken += piece.byteLength;
      yield piece;
    }
    if (taken < dataBytes)
      refuse(`the archive ends in the middle of ${JSON.stringify(nameOf(header))}: it was cut off`);
    // The last file may end without padding to a whole block.
    if (taken < padded(dataBytes)) yield Buffer.alloc(padded(dataBytes) - taken);
  }
  for await (const _ of reader.pieces());
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** Reads the size field: octal digits, or base 256 if the first bit is set. NaN if it is neither. */
function sizeOf(header: Buffer): number {
  const field = header.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) !== 0)
    return field.subarray(1).reduce((size, byte) => size * 256 + byte, (field[0] ?? 0) & 0x7f);
  const text = field.toString("latin1").replaceAll("\0", " ").trim();
  return text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** Reads the size from PAX records, `LENGTH KEY=VALUE\n`. If there are two, the last one counts. */
function sizeOfPax(records: Buffer): number | undefined {
  let size: number | undefined;
  for (let at = 0; at < records.byteLength; ) {
    const [, length = "0"] = /^(\d{1,7}) /.exec(records.toString("latin1", at, at + 8)) ?? [];
    const record = records.toString("latin1", at, at + Number(length));
    const [, digits] = /^\d+ size=(\d+)\n$/.exec(record) ?? [];
    if (digits !== undefined) size = Number(digits);
    if (Number(length) === 0) break;
    at += Number(length);
  }
  return size;
}

function withoutSize(header: Buffer): Buffer {
  const changed = Buffer.from(header);
  changed.write("00000000000\0", 124, "latin1");
  changed.fill(" ", 148, 156);
  const sum = changed.reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return changed;
}

function nameOf(header: Buffer): string {
  return header.toString("utf8", 0, 100).split("\0", 1)[0] ?? "";
}
