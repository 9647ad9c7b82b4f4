import { open } from "node:fs/promises";
import { refuse } from "../core/refuse.js";
import { ioError } from "../io-error.js";
import { chunksOf, leaveSource, readChunk, type StdinSource } from "./stdin-source.js";

/** What a source without an end, such as /dev/zero, may take of the shared disk. */
const MAX_BYTES = 1024 ** 3;

export interface StoredStdin {
  /** The new file. */
  readonly path: string;
  /** Ends the reading: the process is not to be started any more. */
  readonly stop: AbortSignal;
  /** The most that the source may have. @default 1 GiB */
  readonly maxBytes?: number | undefined;
}

/**
 * Reads a source to its end, into a file that a daemon on another machine sees, too. The shim opens a regular
 * file in place of a FIFO: it copies it to its end, and closes the process's standard input then (containerd,
 * pkg/process/io.go, copyPipes). So all of it must be there before the process is created.
 *
 * @throws ExecutorError `io` if the source fails, or the file cannot be written; `refused` if it is too long.
 */
export async function storeStdin(
  source: StdinSource,
  { path, stop, maxBytes = MAX_BYTES }: StoredStdin,
): Promise<void> {
  const chunks = chunksOf(source);
  const stopped = new Promise<"stopped">((resolve) => {
    if (stop.aborted) resolve("stopped");
    stop.addEventListener("abort", () => resolve("stopped"), { once: true });
  });
  const file = await open(path, "wx", 0o600).catch((cause: unknown) => fail(path, cause));
  try {
    for (let bytes = 0; ; ) {
      const next = await Promise.race([readChunk(chunks), stopped]);
      if (next === "stopped" || next.done === true) return;
      bytes += Buffer.byteLength(next.value);
      if (bytes > maxBytes)
        refuse(
          "stdin",
          `has more than ${maxBytes} bytes, which are stored first, because the daemon is on another machine`,
          "less; or a file in a volume",
        );
      // `write` may write less than all of it.
      await file.writeFile(next.value).catch((cause: unknown) => fail(path, cause));
    }
  } finally {
    leaveSource(source, chunks);
    // Some shares write only now.
    await file.close().catch((cause: unknown) => fail(path, cause));
  }
}

function fail(path: string, cause: unknown): never {
  throw ioError(`could not store the standard input in ${path}`, cause);
}
