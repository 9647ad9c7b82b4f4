import { execFile } from "node:child_process";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const AHEAD_BYTES = 1024 * 1024;
const TIMEOUT_MS = 5_000;
/** The unit of `blocks` in stat(2). */
const BLOCK_BYTES = 512;

/**
 * Allocates the first MiB of a file without changing its size. What is written there cannot meet a full disk.
 * It is tried, and it is no error if it does not work: not every file system can, and not every machine has
 * the program fallocate. Node has no fallocate(2).
 */
export async function preallocate(path: string): Promise<void> {
  await run("fallocate", ["-n", "-l", String(AHEAD_BYTES), path], { timeout: TIMEOUT_MS }).catch(
    () => undefined,
  );
}

/** Whether everything in a file is where it was allocated before. */
export async function isWithinPreallocation(file: FileHandle): Promise<boolean> {
  const { size, blocks } = await file.stat();
  return size <= AHEAD_BYTES && blocks * BLOCK_BYTES >= AHEAD_BYTES;
}
