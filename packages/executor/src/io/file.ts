import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { ExecutorError } from "../error.js";
import type { OutputSink, StepIo } from "./io.js";

const CHUNK_BYTES = 256 * 1024;
/**
 * How often to check for a full disk, in milliseconds: the kernel does not notify us. The shim then stops
 * copying silently, and the step blocks.
 */
const DISK_POLL_MS = 1_000;
/**
 * How often to look for output on a share, in milliseconds. On some shares (9p with cache=mmap, virtiofs with
 * write-back) a write by the other machine causes no inotify event here.
 */
const SHARE_POLL_MS = 1_000;

type Stream = "stdout" | "stderr";

/**
 * Output through two regular files. Works if the daemon's machine and ours see a directory at the same path,
 * such as a share with a virtual machine. The output outlives this process. A slow reader never blocks the
 * step, because the file is the buffer.
 *
 * @param directory made here with mode 0700, and its files with 0600. The caller removes it.
 * @param shared whether the daemon runs on another machine. Kernel notifications may then be missing, so the
 * files are also polled.
 */
export async function openFileIo(directory: string, { shared }: { shared: boolean }): Promise<StepIo> {
  const paths = { stdout: join(directory, "stdout"), stderr: join(directory, "stderr") };
  const opened: FileHandle[] = [];
  try {
    // Not recursive: a directory that exists is not ours, and may be a trap.
    await mkdir(directory, { mode: 0o700 });
    // The shim appends to an existing regular file; it does not create one.
    for (const path of [paths.stdout, paths.stderr]) opened.push(await open(path, "wx+", 0o600));
    return fileIo(directory, paths, opened, shared);
  } catch (cause) {
    await Promise.allSettled(opened.map((handle) => handle.close()));
    if (!isExists(cause)) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw new ExecutorError(`could not make the files for the step's output in ${directory}`, {
      kind: "io",
      cause,
    });
  }
}

function fileIo(
  directory: string,
  paths: Record<Stream, string>,
  handles: readonly FileHandle[],
  shared: boolean,
): StepIo {
  const change = { stdout: createChange(), stderr: createChange() };
  const stop = new AbortController();
  let complete = false;
  let readers: Promise<void>[] = [];
  let rejectFailed = (_reason: unknown): void => undefined;
  const failed = new Promise<never>((_, reject) => {
    rejectFailed = reject;
  });
  failed.catch(() => undefined);

  const notifyAll = (): void => {
    change.stdout.notify();
    change.stderr.notify();
  };
  let poll: NodeJS.Timeout | undefined;
  const startPoll = (): void => {
    poll ??= setInterval(notifyAll, SHARE_POLL_MS);
  };
  const watcher = watchDirectory(directory, {
    onChange: (name) => (name === "stderr" ? change.stderr : change.stdout).notify(),
    onLost: startPoll,
  });
  if (shared) startPoll();
  const diskPoll = setInterval(() => void checkDisk(directory).catch(rejectFailed), DISK_POLL_MS);

  async function follow(handle: FileHandle, stream: Stream, sink: OutputSink): Promise<void> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    while (!stop.signal.aborted) {
      // Read before the data: so output that was written before `complete` was set is still read.
      const wasComplete = complete;
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null);
      if (bytesRead > 0) await sink(stream, buffer.subarray(0, bytesRead));
      else if (wasComplete) return;
      else await change[stream].next();
    }
  }

  return {
    stdio: { stdin: "", ...paths },
    completeAfter: "delete",
    failed,
    read(sink) {
      const [stdout, stderr] = handles as readonly [FileHandle, FileHandle];
      readers = [follow(stdout, "stdout", sink), follow(stderr, "stderr", sink)];
      for (const reader of readers) reader.catch(rejectFailed);
    },
    async finish() {
      complete = true;
      notifyAll();
      await Promise.all(readers);
      return true;
    },
    async close() {
      stop.abort();
      notifyAll();
      clearInterval(poll);
      clearInterval(diskPoll);
      watcher?.close();
      await Promise.allSettled(readers);
      for (const handle of handles) await handle.close();
    },
  };
}

async function checkDisk(directory: string): Promise<void> {
  const { bavail } = await statfs(directory);
  if (bavail > 0) return;
  throw new ExecutorError(`the disk of ${directory}, which holds the step's output, is full`, { kind: "io" });
}

interface Watch {
  readonly onChange: (name: string | null) => void;
  /** Called when the kernel has no free watch, or has removed ours. */
  readonly onLost: () => void;
}

function watchDirectory(directory: string, { onChange, onLost }: Watch): FSWatcher | undefined {
  try {
    const watcher = watch(directory, (_, name) => onChange(name));
    watcher.on("error", onLost);
    return watcher;
  } catch {
    onLost();
    return undefined;
  }
}

/**
 * Remembers a change until `next` is called, so that a change between a read and the next wait is not lost.
 */
interface Change {
  notify(): void;
  next(): Promise<void>;
}

function createChange(): Change {
  let changed = false;
  let wake: (() => void) | undefined;
  return {
    notify() {
      changed = true;
      wake?.();
    },
    async next() {
      if (!changed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      changed = false;
    },
  };
}

function isExists(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EEXIST";
}
