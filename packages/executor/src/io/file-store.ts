import { execFile } from "node:child_process";
import { read } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { OUTPUT_STREAMS, type OutputStore, type OutputStream } from "./io.js";
import { createSeal } from "./seal.js";

const run = promisify(execFile);
/** Unlike FileHandle.read, it makes no array for each call that only a full collection frees. */
const readDescriptor = promisify(read);
/** The unit of `blocks` in stat(2). */
const BLOCK_BYTES = 512;
const SEAL_BYTES = createSeal().byteLength;

/** The file of one stream. */
export interface StoredFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** Where the seal is in it, once it was read. */
  sealAt(): number | undefined;
}

/**
 * Reads output from its files again, also when they have no name any more.
 *
 * @param isOurs whether space in them is ours to free.
 */
export function createFileStore(files: readonly StoredFile[], isOurs: () => boolean): OutputStore {
  const fileOf = (stream: OutputStream): StoredFile => files[OUTPUT_STREAMS.indexOf(stream)] as StoredFile;
  let closed: Promise<void> | undefined;
  return {
    async read(stream, position, buffer) {
      const { handle, sealAt } = fileOf(stream);
      const seal = sealAt() ?? Number.POSITIVE_INFINITY;
      const at = position < seal ? position : position + SEAL_BYTES;
      const length = position < seal ? Math.min(buffer.byteLength, seal - position) : buffer.byteLength;
      return (await readDescriptor(handle.fd, buffer, 0, length, at)).bytesRead;
    },
    // Node has no fallocate(2). Where the program or the file system cannot do it, the space stays in use.
    async free(stream, from, to) {
      if (!isOurs()) return;
      const { path } = fileOf(stream);
      await run("fallocate", ["--punch-hole", "-o", String(from), "-l", String(to - from), path]);
    },
    async storedBytes() {
      const stats = await Promise.all(files.map(({ handle }) => handle.stat()));
      return stats.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0);
    },
    close: () => (closed ??= Promise.all(files.map(({ handle }) => handle.close())).then(() => undefined)),
  };
}
