import { incompleteEnd, incompleteStart } from "./utf8.js";

/** The beginning and the end of a stream, in bounded memory. */
export interface Excerpt {
  add(chunk: Uint8Array): void;
  /** Bytes are missing here. They count. */
  skip(count: number): void;
  /** How many bytes were added. */
  readonly bytes: number;
  read(): {
    /** The first bytes, as UTF-8, cut after a whole character. */
    readonly head: string;
    /** The last bytes, as UTF-8, cut before a whole character. */
    readonly tail: string;
    /** How many bytes are in neither. */
    readonly omittedBytes: number;
    /** Whether the head is not everything. */
    readonly truncated: boolean;
  };
}

/** @param limitBytes how many bytes the head may have, and how many the tail. */
export function createExcerpt(limitBytes: number): Excerpt {
  const head = createBuffer(limitBytes);
  /** A ring: `bytes % limitBytes` is where the next byte goes. */
  const ring = createBuffer(limitBytes);
  let bytes = 0;
  /** Where the head ends, and from where on there is a tail: bytes between them may be missing. */
  let headEnd = limitBytes;
  let tailStart = 0;

  function addToRing(chunk: Uint8Array): void {
    const part = chunk.subarray(Math.max(0, chunk.byteLength - limitBytes));
    const at = limitBytes === 0 ? 0 : (bytes + chunk.byteLength - part.byteLength) % limitBytes;
    const first = part.subarray(0, limitBytes - at);
    ring.set(first, at);
    ring.set(part.subarray(first.byteLength), 0);
  }

  function readTail(): Uint8Array {
    const length = Math.min(bytes - tailStart, limitBytes);
    const at = (bytes - length) % limitBytes;
    const last = new Uint8Array(length);
    const first = ring.view(at, Math.min(at + length, limitBytes));
    last.set(first);
    last.set(ring.view(0, length - first.byteLength), first.byteLength);
    return last;
  }

  return {
    add(chunk) {
      if (bytes < headEnd) head.set(chunk.subarray(0, headEnd - bytes), bytes);
      addToRing(chunk);
      bytes += chunk.byteLength;
    },
    skip(count) {
      headEnd = Math.min(headEnd, bytes);
      bytes += count;
      tailStart = bytes;
    },
    get bytes() {
      return bytes;
    },
    read() {
      const truncated = bytes > headEnd;
      const first = head.view(0, Math.min(bytes, headEnd));
      const start = truncated ? first.subarray(0, first.byteLength - incompleteEnd(first)) : first;
      const last = limitBytes === 0 ? new Uint8Array(0) : readTail();
      const end = last.byteLength < bytes ? last.subarray(incompleteStart(last)) : last;
      return {
        head: decode(start),
        tail: decode(end),
        omittedBytes: Math.max(0, bytes - start.byteLength - end.byteLength),
        truncated,
      };
    },
  };
}

/** Bytes that take memory only as far as they were written. */
function createBuffer(limitBytes: number): {
  set(part: Uint8Array, at: number): void;
  view(start: number, end: number): Uint8Array;
} {
  let buffer = new Uint8Array(0);
  return {
    set(part, at) {
      const end = at + part.byteLength;
      if (end > buffer.byteLength) {
        const larger = new Uint8Array(Math.min(limitBytes, Math.max(end, 2 * buffer.byteLength)));
        larger.set(buffer);
        buffer = larger;
      }
      buffer.set(part, at);
    },
    view: (start, end) => buffer.subarray(start, end),
  };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
