/** The longest character in UTF-8 has four bytes, of which all but the first are continuation bytes. */
const MOST_CONTINUATIONS = 3;

/**
 * Returns how many bytes at the end are the beginning of a character that is not complete. Bytes that are not
 * UTF-8 are not counted.
 */
export function incompleteEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(MOST_CONTINUATIONS, bytes.byteLength); back++) {
    const byte = bytes[bytes.byteLength - back] as number;
    if (isContinuation(byte)) continue;
    return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

/** Returns how many bytes at the start are the rest of a character that began before. */
export function incompleteStart(bytes: Uint8Array): number {
  let count = 0;
  while (count < MOST_CONTINUATIONS && isContinuation(bytes[count] ?? 0)) count++;
  return count;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** Bytes of the character that begins with this byte; 1 if none does. */
function lengthOf(byte: number): number {
  if (byte >= 0xc2 && byte <= 0xdf) return 2;
  if (byte >= 0xe0 && byte <= 0xef) return 3;
  if (byte >= 0xf0 && byte <= 0xf4) return 4;
  return 1;
}
