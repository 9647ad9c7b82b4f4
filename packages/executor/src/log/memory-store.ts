import type { OutputStore, OutputStream } from "../io/io.js";

/** How much of a stream is kept if nothing but memory can keep it. */
const MEMORY_BYTES = 1024 * 1024;

/** Keeps the newest output in memory, for output that comes through pipes. */
export interface MemoryStore extends OutputStore {
  append(stream: OutputStream, chunk: Uint8Array): void;
}

export function createMemoryStore(): MemoryStore {
  const streams = { stdout: createWindow(), stderr: createWindow() };
  return {
    append: (stream, chunk) => streams[stream].append(chunk),
    begin: (stream) => streams[stream].dropped,
    read: async (stream, position, buffer) => streams[stream].read(position, buffer),
    free: async () => undefined,
    storedBytes: async () => 0,
    async close() {
      for (const stream of Object.values(streams)) stream.clear();
    },
  };
}

function createWindow() {
  let chunks: Uint8Array[] = [];
  let dropped = 0;
  let bytes = 0;
  return {
    append(chunk: Uint8Array) {
      // Not with slice(): that of a Buffer does not copy.
      chunks.push(new Uint8Array(chunk));
      bytes += chunk.byteLength;
      let first = chunks[0];
      while (first !== undefined && bytes - first.byteLength >= MEMORY_BYTES) {
        dropped += first.byteLength;
        bytes -= first.byteLength;
        chunks.shift();
        first = chunks[0];
      }
    },
    read(position: number, buffer: Uint8Array): number {
      let start = dropped;
      let read = 0;
      for (const chunk of chunks) {
        const from = Math.max(0, position + read - start);
        if (from < chunk.byteLength && position + read >= start && read < buffer.byteLength) {
          const part = chunk.subarray(from, from + buffer.byteLength - read);
          buffer.set(part, read);
          read += part.byteLength;
        }
        start += chunk.byteLength;
      }
      return read;
    },
    clear() {
      chunks = [];
      bytes = 0;
    },
    get dropped() {
      return dropped;
    },
  };
}
