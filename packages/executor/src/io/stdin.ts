import { execFile } from "node:child_process";
import { constants, open } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type Chunks, chunksOf, leaveSource, readChunk, type StdinSource } from "./stdin-source.js";

/** How to write into a process's standard input. */
export interface StdinTarget {
  /** The FIFO that the shim reads. */
  readonly path: string;
  /** Settles when the process has ended. Nothing is read from the source any more then. */
  readonly ended: Promise<unknown>;
  /** Tells the process that nothing follows. Called when the kernel has everything. */
  close(): Promise<void>;
  /** Whether a terminal is behind the FIFO. */
  readonly isTerminal: boolean;
}

const run = promisify(execFile);
// The descriptor itself, not a FileHandle: the socket owns it and closes it.
const openDescriptor = promisify(open);
/** What a terminal's driver takes for the end of the input: Ctrl-D. Source: termios(3), VEOF. */
const END_OF_TRANSMISSION = "\x04";
/** The shim opens the FIFO in a thread of its own, right after the process was created. No event tells it. */
const POLL_MS = 2;

/** Makes the FIFO of a process's standard input. Node has no mkfifo(3). */
export async function makeStdin(path: string): Promise<void> {
  await run("mkfifo", ["-m", "600", path]);
}

/**
 * Writes a source into the standard input of a started process, no faster than the process reads. Then the
 * process sees the end of its input. If the process ends first, the source is not read to its end, and that
 * is no error. A process that closes its standard input and runs on cannot be told from one that does not
 * read: the shim keeps both ends of its pipe.
 *
 * @throws ExecutorError `io` if the source fails. What the process has read is then not the whole input.
 */
export async function feedStdin(source: StdinSource, target: StdinTarget): Promise<void> {
  const over = target.ended.then(
    () => "over" as const,
    () => "over" as const,
  );
  const chunks = chunksOf(source);
  const pipe = await openPipe(target.path, over);
  if (pipe === undefined) return leaveSource(source, chunks);
  try {
    if (await pump(chunks, pipe, over)) {
      if (target.isTerminal) await pipe.write(END_OF_TRANSMISSION);
      await pipe.end();
      // At the end of a terminal's input, the shim would close the terminal itself, and lose its output
      // (containerd, cmd/containerd-shim-runc-v2/runc/platform.go, CopyConsole).
      if (!target.isTerminal) await target.close();
    }
  } finally {
    pipe.destroy();
    leaveSource(source, chunks);
  }
}

interface Pipe {
  /** Resolves when more may be written; false if nobody reads any more. */
  write(chunk: string | Uint8Array): Promise<boolean>;
  /** Resolves when the kernel has everything. */
  end(): Promise<void>;
  destroy(): void;
  /** Resolves when nobody reads any more. */
  readonly closed: Promise<"over">;
}

/** @returns whether everything was written. */
async function pump(chunks: Chunks, pipe: Pipe, over: Promise<"over">): Promise<boolean> {
  for (;;) {
    // The source may wait for a person for ever, while the process ends.
    const next = await Promise.race([readChunk(chunks), over, pipe.closed]);
    if (next === "over") return false;
    if (next.done === true) return true;
    const written = await Promise.race([pipe.write(next.value), over, pipe.closed]);
    if (written !== true) return false;
  }
}

/** @returns undefined if the process has ended before its shim has opened the FIFO. */
async function openPipe(path: string, over: Promise<"over">): Promise<Pipe | undefined> {
  for (;;) {
    // Without O_NONBLOCK the call would hold one of libuv's four threads until the shim opens its end.
    const fd = await openDescriptor(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(
      (reason: NodeJS.ErrnoException) => {
        if (reason.code !== "ENXIO" && reason.code !== "ENOENT") throw reason;
        return undefined;
      },
    );
    if (fd !== undefined) return toPipe(new Socket({ fd, readable: false, writable: true }));
    if ((await Promise.race([over, delay(POLL_MS)])) === "over") return undefined;
  }
}

function toPipe(socket: Socket): Pipe {
  const closed = new Promise<"over">((resolve) => {
    // EPIPE: the shim has let go of it.
    socket.on("error", () => resolve("over"));
    socket.once("close", () => resolve("over"));
  });
  return {
    closed,
    write: (chunk) =>
      new Promise((resolve) => {
        socket.write(chunk, (error) => resolve(error === null || error === undefined));
      }),
    end: () =>
      Promise.race([
        closed.then(() => undefined),
        new Promise<void>((resolve) => {
          socket.end(() => resolve());
        }),
      ]),
    destroy: () => void socket.destroy(),
  };
}
