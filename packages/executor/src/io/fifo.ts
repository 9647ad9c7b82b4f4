import { constants, open } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { ioError } from "../io-error.js";
import { startTimer } from "../timer.js";
import { OUTPUT_STREAMS, type OutputSink, type OutputStream, type StepIo } from "./io.js";
import { makeFifos } from "./make-fifos.js";

// The descriptor itself, not a FileHandle: the socket owns it and closes it.
const openDescriptor = promisify(open);
const CHUNK_BYTES = 64 * 1024;
/**
 * How long to wait for the end of silent pipes after the process has ended, in milliseconds. A process
 * outside of the container's PID namespace may hold them open.
 */
const SILENCE_MS = 5_000;

/**
 * Output through two FIFOs in a private directory, or through one from a terminal. The fastest way, but only
 * for a daemon on this machine: a FIFO carries no data between a machine and its virtual machine. The step
 * blocks while its output is not read.
 */
export async function openFifoIo(
  directory: string,
  { terminal }: { readonly terminal: boolean },
): Promise<StepIo> {
  const streams = terminal ? (["stdout"] as const) : OUTPUT_STREAMS;
  const paths = streams.map((stream) => join(directory, stream));
  await mkdir(directory, { mode: 0o700 });
  try {
    await makeFifos(paths);
    return await openPipes(paths, terminal);
  } catch (cause) {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw ioError(`could not make the FIFOs for the step's output in ${directory}`, cause);
  }
}

/**
 * Goes on reading the FIFOs of a step whose executor has ended. What that executor had read is not in them.
 */
export async function reopenFifoIo(directory: string): Promise<StepIo> {
  try {
    return await openPipes(
      OUTPUT_STREAMS.map((stream) => join(directory, stream)),
      false,
    );
  } catch (cause) {
    throw ioError(`could not open the FIFOs of the step's output in ${directory}`, cause);
  }
}

/** @param paths in the order of {@link OUTPUT_STREAMS}. */
async function openPipes(paths: readonly string[], terminal: boolean): Promise<StepIo> {
  const pipes: Pipe[] = [];
  try {
    for (const path of paths) pipes.push(await openPipe(path));
  } catch (reason) {
    for (const pipe of pipes) pipe.close();
    throw reason;
  }
  const [stdout = "", stderr = ""] = paths;
  return fifoIo({ stdin: "", stdout, stderr, terminal }, pipes);
}

function fifoIo(stdio: StepIo["stdio"], pipes: readonly Pipe[]): StepIo {
  let fail = (_reason: unknown): void => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
    for (const pipe of pipes) pipe.onError(reject);
  });
  failed.catch(() => undefined);
  return {
    stdio,
    completeAfter: "exit",
    arrived: new Promise<never>(() => undefined),
    failed,
    fail,
    takeStore: () => undefined,
    read(sink) {
      for (const [at, pipe] of pipes.entries()) pipe.read(OUTPUT_STREAMS[at] as OutputStream, sink);
    },
    // The bytes come to us directly: the pipe's end is the end of the output.
    attach: async () => false,
    seal: async () => undefined,
    release: async () => undefined,
    finish: async (stream) =>
      ((await pipes[OUTPUT_STREAMS.indexOf(stream)]?.finish()) ?? true) ? "whole" : "not-read",
    async close() {
      for (const pipe of pipes) pipe.close();
    },
  };
}

interface Pipe {
  read(stream: OutputStream, sink: OutputSink): void;
  finish(): Promise<boolean>;
  onError(listener: (error: Error) => void): void;
  close(): void;
}

async function openPipe(path: string): Promise<Pipe> {
  // Non-blocking: a plain open would hold one of libuv's four threads until the shim opens its end.
  const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let take: ((chunk: Uint8Array) => Promise<void> | undefined) | undefined;
  let lastRead = performance.now();
  let waiting = false;
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: new Uint8Array(CHUNK_BYTES),
      callback(bytes: number, buffer: Uint8Array) {
        lastRead = performance.now();
        const wait = take?.(buffer.subarray(0, bytes));
        if (wait === undefined) return true;
        waiting = true;
        void wait.then(() => {
          waiting = false;
          lastRead = performance.now();
          socket.resume();
        });
        return false;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  socket.pause();
  let isEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isEnded = true;
      resolve();
    };
    socket.once("end", end);
    socket.once("close", end);
  });
  return {
    read(stream, consumer) {
      take = (chunk) => consumer(stream, chunk);
      socket.resume();
    },
    async finish() {
      lastRead = performance.now();
      for (;;) {
        const timer = startTimer(SILENCE_MS);
        const result = await Promise.race([ended.then(() => "ended"), timer.fired.then(() => "silent")]);
        timer.cancel();
        if (result === "ended") return true;
        // If this process stood still meanwhile, it reads only now what is in the pipe.
        await nextTurn();
        if (isEnded) return true;
        if (!waiting && performance.now() - lastRead >= SILENCE_MS) return false;
      }
    },
    onError(listener) {
      socket.on("error", listener);
    },
    close() {
      socket.destroy();
    },
  };
}
