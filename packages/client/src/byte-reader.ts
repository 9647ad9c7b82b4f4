/** Takes bytes off a stream in the amounts that its format says, whatever pieces they come in. */
export interface ByteReader {
  /** The next bytes; fewer only at the end. */
  read(count: number): Promise<Buffer>;
  /** As {@link read}, piece by piece as they come. Default: all that is left. */
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
