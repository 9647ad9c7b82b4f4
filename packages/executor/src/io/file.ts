import { type FileHandle, mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { StreamEnd } from "../core/output/step-log.js";
import type { ExecutorError } from "../error.js";
import { ioError } from "../io-error.js";
import { type Ballast, createBallast, reopenBallast } from "./ballast.js";
import { type DiskUse, useDisk } from "./disk.js";
import { createFileReader } from "./file-reader.js";
import { createFileStore } from "./file-store.js";
import { type OnBacklog, OUTPUT_STREAMS, type OutputStream, type StepIo } from "./io.js";
import { isWithinPreallocation, preallocate } from "./preallocation.js";
import { findShim, haveOpen, isRunning, type SealOutcome, type Shim } from "./shim-copy.js";
import { watchDirectory } from "./watch-directory.js";

/** How often to check that the output is still stored, in milliseconds. Nobody notifies us. */
const CHECK_MS = 1_000;
/** How much may be read before the disk is looked at again. */
const CHECK_BYTES = 1024 * 1024;
/**
 * How often to look for output on a share, in milliseconds. On some shares (9p with cache=mmap, virtiofs with
 * write-back) a write by the other machine causes no inotify event here.
 */
const SHARE_POLL_MS = 1_000;
/** How long the shim may take to write a seal on a disk that is nearly full, in milliseconds. */
const SETTLE_MS = 1_000;
const POLL_MS = 5;
/** The unit of `blocks` in stat(2). */
const BLOCK_BYTES = 512;
const PAGE_BYTES = 4096;

export interface FileIoOptions {
  /**
   * Whether the daemon runs on another machine. Kernel notifications may then be missing, so the files are
   * also polled.
   */
  readonly shared: boolean;
  /** What marks the end of each stream. */
  readonly seal: Uint8Array;
  /** Whether a terminal is behind it: then stderr stays empty. @default false */
  readonly terminal?: boolean | undefined;
}

/**
 * Output through two regular files. Works if the daemon's machine and ours see a directory at the same path,
 * such as a share with a virtual machine. The output outlives this process. A slow reader never blocks the
 * step, because the file is the buffer.
 *
 * @param directory made here with mode 0700, and its files with 0600. The caller removes it.
 */
export async function openFileIo(directory: string, options: FileIoOptions): Promise<StepIo> {
  const opened: FileHandle[] = [];
  try {
    // Not recursive: a directory that exists is not ours, and may be a trap.
    await mkdir(directory, { mode: 0o700 });
    const ballast = await createBallast(join(directory, "reserve"));
    // The shim appends to an existing regular file; it does not create one.
    for (const stream of OUTPUT_STREAMS) opened.push(await open(join(directory, stream), "wx+", 0o600));
    const io = fileIo(directory, opened, ballast, options);
    await io.own();
    return io;
  } catch (cause) {
    await Promise.allSettled(opened.map((handle) => handle.close()));
    if (!isExists(cause)) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw ioError(`could not make the files for the step's output in ${directory}`, cause);
  }
}

/** Output that another process has opened. Until it is taken over, it is only read. */
export interface ReopenedIo extends StepIo {
  /** Resolves when everything was read that was there when it was opened. */
  readonly caughtUp: Promise<unknown>;
  /** That process has ended: from now on the output is ours, with its disk. */
  takeOver(): Promise<void>;
  /**
   * Waits until none of these processes has the files open, at most for this time in milliseconds.
   *
   * @returns false at once if that cannot be seen from here.
   */
  closedBy(pids: readonly number[], timeMs: number): Promise<boolean>;
  /**
   * Skips the beginnings of the streams whose space that process has freed. Call it before `read`.
   *
   * @param keptBytes nothing is freed before both streams together have more.
   * @returns how many bytes they had.
   */
  skipFreed(keptBytes: number): Promise<Readonly<Record<OutputStream, number>>>;
}

/** Opens the files of a step that another process runs, or ran. */
export async function reopenFileIo(directory: string, options: FileIoOptions): Promise<ReopenedIo> {
  const opened: FileHandle[] = [];
  try {
    const ballast = await reopenBallast(join(directory, "reserve"));
    for (const stream of OUTPUT_STREAMS) opened.push(await open(join(directory, stream), "r"));
    const io = fileIo(directory, opened, ballast, options);
    io.expectSeal();
    return {
      ...io,
      caughtUp: io.caughtUp,
      takeOver: () => io.own(),
      async closedBy(pids, timeMs) {
        const giveUpAt = performance.now() + timeMs;
        for (;;) {
          const isOpen = await haveOpen(pids, opened);
          if (isOpen !== true) return isOpen === false;
          if (performance.now() > giveUpAt) return true;
          await delay(POLL_MS);
        }
      },
      async skipFreed(keptBytes) {
        const stats = await Promise.all(opened.map((handle) => handle.stat()));
        // A file system that compresses takes few blocks, too.
        const isFreed = stats.reduce((sum, { size }) => sum + size, 0) > keptBytes;
        const [stdout = 0, stderr = 0] = isFreed ? await Promise.all(opened.map(freedBytes)) : [];
        io.skip({ stdout, stderr });
        return { stdout, stderr };
      },
    };
  } catch (cause) {
    await Promise.allSettled(opened.map((handle) => handle.close()));
    throw ioError(`could not open the step's output in ${directory}`, cause);
  }
}

/** By stream. */
type Sealing = (SealOutcome | "unknown")[];

/**
 * How much of a file's beginning was freed. Freed space takes no blocks, but for pages of which only a part
 * was freed at a time. Those have zeros. A file system may keep a small file in no block of its own.
 */
async function freedBytes(handle: FileHandle): Promise<number> {
  const { size, blocks } = await handle.stat();
  const pages = Math.ceil(size / PAGE_BYTES) - Math.floor((blocks * BLOCK_BYTES) / PAGE_BYTES);
  if (pages <= 0 || size <= PAGE_BYTES) return 0;
  const buffer = new Uint8Array(16 * PAGE_BYTES);
  for (let at = pages * PAGE_BYTES; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, at);
    const first = buffer.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (first !== -1 || bytesRead === 0) return Math.min(size, at + Math.max(0, first));
    at += bytesRead;
  }
}

interface FileIo extends StepIo {
  /** Resolves when everything was read that was there at the start. */
  readonly caughtUp: Promise<unknown>;
  /** Begins to care for the disk that the files are on. */
  own(): Promise<void>;
  /** The seal may be in the files already. */
  expectSeal(): void;
  skip(bytes: Readonly<Record<OutputStream, number>>): void;
}

function fileIo(
  directory: string,
  handles: readonly FileHandle[],
  ballast: Ballast,
  { shared, seal: mark, terminal = false }: FileIoOptions,
): FileIo {
  let fail = (_reason: unknown): void => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);

  const files = OUTPUT_STREAMS.map((stream, at) => {
    const handle = handles[at] as FileHandle;
    return { stream, at, handle, path: join(directory, stream), reader: createFileReader(handle, mark) };
  });
  const store = createFileStore(
    files.map(({ handle, path, reader }) => ({ handle, path, sealAt: () => reader.sealAt })),
    () => disk !== undefined,
  );
  let isStoreTaken = false;
  let isReopened = false;
  let onBacklog: OnBacklog = () => 0;
  let shim: Shim | undefined;
  let isAttached = false;
  /** An added process may end before anybody can look at its pipes. */
  let isOverAtOnce = false;
  let unchecked = 0;
  let sealing: Promise<Sealing> | undefined;
  const lost = new Set<OutputStream>();
  /** Undefined as long as another process cares for it. */
  let disk: DiskUse | undefined;
  let isClosed = false;

  const wake = (name: string | null): void => {
    for (const { stream, reader } of files) if (name === null || name === stream) reader.wake();
  };
  let poll: NodeJS.Timeout | undefined;
  const startPoll = (): void => {
    poll ??= setInterval(wake, SHARE_POLL_MS, null);
  };
  const watcher = watchDirectory(directory, { onChange: wake, onLost: startPoll });
  if (shared) startPoll();
  let checks: NodeJS.Timeout | undefined;

  async function own(): Promise<void> {
    const { dev } = await stat(directory);
    if (isClosed) return;
    disk ??= useDisk(dev, { directory, storedBytes: () => store.storedBytes(), stop: fail });
    checks ??= setInterval(() => void check().catch(fail), CHECK_MS);
  }

  async function check(): Promise<void> {
    const isFull = await disk?.check();
    await checkBacklog();
    if (sealing !== undefined) return;
    if (shim !== undefined) {
      await checkCopies(shim);
      // The daemon may be away, and cannot tell it. A shim that ends waits for us.
      if (!(await shim.hasProcess())) await seal();
      // Before that nothing is allocated, and nothing is printed.
    } else if (isFull === true && isAttached) await checkPreallocations();
  }

  /** Where the shim cannot be looked at: what did not fit before the disk was full is taken for lost. */
  async function checkPreallocations(): Promise<void> {
    const fits = await Promise.all(handles.map(isWithinPreallocation));
    for (const { stream, at } of files) if (fits[at] === false) lost.add(stream);
    if (lost.size > 0) throw notStored();
  }

  /** A fast step fills a disk in less than a second. */
  function countRead(bytes: number): void {
    unchecked += bytes;
    if (unchecked < CHECK_BYTES) return;
    unchecked = 0;
    void Promise.all([disk?.check(), checkBacklog()]).catch(fail);
  }

  async function checkBacklog(): Promise<void> {
    for (const { stream, handle, reader } of files) {
      const { size } = await handle.stat();
      if (sealing !== undefined) return;
      const bytes = onBacklog(stream, size - reader.position);
      if (bytes > 0) reader.skip(bytes);
    }
  }

  async function checkCopies({ copies, isAlive }: Shim): Promise<void> {
    const running = await Promise.all(copies.map((copy) => copy.isRunning()));
    // A seal that was written meanwhile ends the copy. If the shim has died, the daemon tells it.
    if (sealing === undefined && !running.every(Boolean) && (await isAlive())) throw notStored();
  }

  function notStored(): ExecutorError {
    return ioError(`the step's output could not be written to ${directory}`, "the disk is, or was, full");
  }

  function seal(): Promise<Sealing> {
    sealing ??= shim === undefined ? Promise.resolve([]) : sealCopies(shim);
    return sealing;
  }

  /** A seal takes space, too. On a full disk, the space that was kept for it must not go to more output. */
  async function sealCopies(of: Shim): Promise<Sealing> {
    const outcomes: Sealing = [];
    const sealOne = async ({ reader, at }: (typeof files)[number]): Promise<void> => {
      reader.expectSeal();
      const outcome = (await of.copies[at]?.seal(mark)) ?? "unknown";
      // A shim that has died may have copied everything before.
      outcomes[at] = outcome === "failed" && !(await of.isAlive()) ? "unknown" : outcome;
    };
    if ((await disk?.hasSpace().catch(() => true)) !== false) await Promise.all(files.map(sealOne));
    else {
      const sizes = await Promise.all(handles.map(async (handle) => (await handle.stat()).size));
      for (const file of files.toSorted((a, b) => (sizes[b.at] ?? 0) - (sizes[a.at] ?? 0))) {
        await ballast.drop();
        await sealOne(file);
        await settled(file, of);
      }
    }
    return outcomes;
  }

  /** Waits until the shim has written the seal, or has given up. Polled: nobody tells the latter. */
  async function settled({ reader, at }: (typeof files)[number], { copies }: Shim): Promise<void> {
    const giveUpAt = performance.now() + SETTLE_MS;
    while (
      performance.now() < giveUpAt &&
      reader.sealAt === undefined &&
      (await copies[at]?.isRunning()) === true
    )
      await delay(POLL_MS);
  }

  async function endOf({ stream, reader, handle, at }: (typeof files)[number]): Promise<StreamEnd> {
    const outcome = (await seal())[at];
    try {
      if (await reader.finish()) return "whole";
    } catch {
      return "not-read";
    }
    if (outcome === "sealed" || outcome === "failed") return "not-stored";
    if (lost.has(stream)) return "not-stored";
    // The shim has copied everything when the process is deleted, unless the disk was full.
    if (isOverAtOnce && (await disk?.hasSpace().catch(() => false)) === true) return "whole";
    return shim === undefined && (await isWithinPreallocation(handle)) ? "whole" : "unknown";
  }

  return {
    stdio: {
      stdin: "",
      stdout: join(directory, "stdout"),
      stderr: terminal ? "" : join(directory, "stderr"),
      terminal,
    },
    completeAfter: "delete",
    arrived: Promise.all(files.map(({ reader }) => reader.sealed)),
    caughtUp: Promise.all(files.map(({ reader }) => reader.caughtUp)),
    failed,
    fail,
    takeStore() {
      isStoreTaken = true;
      return store;
    },
    read(sink, onUnread) {
      onBacklog = onUnread;
      for (const { reader, stream } of files) {
        const take = (chunk: Uint8Array): Promise<void> | undefined => {
          countRead(chunk.byteLength);
          return sink(stream, chunk);
        };
        reader.follow(take).catch(fail);
      }
    },
    own,
    expectSeal() {
      isReopened = true;
      for (const { reader } of files) reader.expectSeal();
    },
    skip(bytes) {
      for (const { reader, stream } of files) reader.skip(bytes[stream]);
    },
    async attach({ pid, isLocal }) {
      if (isLocal && pid !== undefined) shim = await findShim(pid, handles);
      isOverAtOnce = isLocal && shim === undefined && (pid === undefined || !(await isRunning(pid)));
      // What was lost before, nobody would see afterwards.
      if (shim === undefined && !isReopened && !isOverAtOnce)
        await Promise.all(files.map(({ path }) => preallocate(path)));
      isAttached = true;
      return shim !== undefined;
    },
    seal: async () => void (await seal()),
    async release() {
      await Promise.all((shim?.copies ?? []).map((copy) => copy.close()));
    },
    finish: (stream) => endOf(files[OUTPUT_STREAMS.indexOf(stream)] as (typeof files)[number]),
    async close() {
      isClosed = true;
      clearInterval(poll);
      clearInterval(checks);
      watcher?.close();
      disk?.end();
      await Promise.all((shim?.copies ?? []).map((copy) => copy.close()));
      await Promise.all(files.map(({ reader }) => reader.stop()));
      if (!isStoreTaken) await store.close();
    },
  };
}

function isExists(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EEXIST";
}
