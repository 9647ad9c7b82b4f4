import type { FileHandle } from "node:fs/promises";
import { createDeferred } from "@wfe-containerd/client/internal";
import { createChange } from "./change.js";
import { createSealFilter } from "./seal.js";

const CHUNK_BYTES = 256 * 1024;
/** Most steps print less. A large buffer for each stream makes the garbage collector run more often. */
const FIRST_CHUNK_BYTES = 16 * 1024;

/** Reads a file that grows, once, in order. */
export interface FileReader {
  /** From now on the seal may be in the file. */
  expectSeal(): void;
  /** How much of the file was read. */
  readonly position: number;
  /** Goes on reading behind these bytes. The seal must not be among them. */
  skip(bytes: number): void;
  /** How many bytes came before the seal; undefined if it was not read. */
  readonly sealAt: number | undefined;
  /** Resolves when the seal was read, and everything before it was taken. */
  readonly sealed: Promise<void>;
  /** Resolves when everything was read that was there in the beginning. */
  readonly caughtUp: Promise<void>;
  /** Starts. Resolves at the end, and rejects if the file cannot be read. */
  follow(take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<void>;
  /** The file may have grown. */
  wake(): void;
  /**
   * Reads to the end, once nothing more will be written.
   *
   * @returns whether the seal was there.
   */
  finish(): Promise<boolean>;
  /** Stops reading. */
  stop(): Promise<void>;
}

/** @param seal what marks the end of the file. */
export function createFileReader(handle: FileHandle, seal: Uint8Array): FileReader {
  const change = createChange();
  const filter = createSealFilter(seal);
  /** Where the next read begins. */
  let position = 0;
  let complete = false;
  let stopped = false;
  let reading: Promise<void> | undefined;
  const sealed = createDeferred<void>();
  const caughtUp = createDeferred<void>();

  async function read(take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<void> {
    let buffer = new Uint8Array(FIRST_CHUNK_BYTES);
    while (!stopped) {
      // Read before the data: so output that was written before `complete` was set is still read.
      const wasComplete = complete;
      const at = position;
      const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, at);
      // Skipped meanwhile: it may have been freed while it was read.
      if (position !== at) continue;
      position += bytesRead;
      if (bytesRead > 0) {
        for (const part of filter.push(buffer.subarray(0, bytesRead))) await take(part);
        if (filter.sealAt !== undefined) sealed.resolve();
        if (bytesRead === buffer.byteLength && bytesRead < CHUNK_BYTES) buffer = new Uint8Array(CHUNK_BYTES);
        continue;
      }
      caughtUp.resolve();
      if (wasComplete) {
        await take(filter.end());
        return;
      }
      await change.next();
    }
  }

  return {
    expectSeal: () => filter.arm(),
    get position() {
      return position;
    },
    skip(bytes) {
      position += bytes;
      filter.skip(bytes);
    },
    get sealAt() {
      return filter.sealAt;
    },
    sealed: sealed.promise,
    caughtUp: caughtUp.promise,
    follow(take) {
      reading = read(take);
      return reading;
    },
    wake: () => change.notify(),
    async finish() {
      complete = true;
      change.notify();
      await reading;
      return filter.sealAt !== undefined;
    },
    async stop() {
      stopped = true;
      change.notify();
      await reading?.catch(() => undefined);
    },
  };
}
