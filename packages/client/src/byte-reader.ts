/** Reads a stream in amounts that the caller chooses, however the stream is cut into chunks. */
export interface ByteReader {
  /** The next `count` bytes. Fewer only at the end of the stream. */
  read(count: number): Promise<Buffer>;
  /** As {@link read}, but gives the bytes in pieces as they arrive. Default: everything that is left. */
  pieces(count?: number): AsyncGenerator<Uint8Array, void, undefined>;
}

export function createByteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  async function* pieces(count = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      if (rest.byteLength === 0) {
        const next = await iterator.next();
        if (next.done === true) return;
        rest = next.value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }

  return {
    pieces,
    async read(count) {
      const found: Uint8Array[] = [];
      for await (const piece of pieces(count)) found.push(piece);
      return Buffer.concat(found);
    },
  };
}
