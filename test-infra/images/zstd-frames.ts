/** Makes a zstd frame that stores bytes as they are (RFC 8878, 3.1.1), so that no compressor is needed. */
export function zstdFrame(bytes: Uint8Array): Buffer {
  const MAX_BLOCK = 128 * 1024;
  // No checksum, no dictionary. The window is 128 KiB.
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3])];
  for (let at = 0; at === 0 || at < bytes.byteLength; at += MAX_BLOCK) {
    const block = bytes.subarray(at, at + MAX_BLOCK);
    const isLast = at + MAX_BLOCK >= bytes.byteLength;
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.byteLength << 3) | Number(isLast), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

/** Makes a frame that readers must skip (RFC 8878, 3.1.2). zstd:chunked and pzstd write such frames. */
export function skippableFrame(bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50);
  header.writeUInt32LE(bytes.byteLength, 4);
  return Buffer.concat([header, bytes]);
}

/** Stores bytes as several frames. */
export function zstdFrames(bytes: Uint8Array, count: number): Buffer {
  const size = Math.ceil(bytes.byteLength / count);
  return Buffer.concat(
    Array.from({ length: count }, (_, at) => zstdFrame(bytes.subarray(at * size, (at + 1) * size))),
  );
}
