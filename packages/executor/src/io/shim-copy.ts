import { constants, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { type FileHandle, open, readlink, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** How long the shim may take to make room for the seal, in milliseconds. A pipe holds 64 KiB. */
const SEAL_MS = 10_000;
const POLL_MS = 10;

export type SealOutcome = "sealed" | "failed" | "stuck";

/**
 * The shim's copy of one stream, from the step's pipe to our file.
 *
 * The shim closes its file when its copy ends, by the end of the pipe or by an error, and says nothing
 * (containerd, pkg/process/io.go, copyPipes). We hold a write end of the pipe, so its end cannot come. While
 * we do, a file that the shim has closed means that its copy has failed, mostly because the disk was full.
 */
export interface ShimCopy {
  /** Whether the shim still has our file open. */
  isRunning(): Promise<boolean>;
  /**
   * Writes the seal behind all output, and lets go of the pipe. Call it when the process has ended.
   *
   * @returns `failed` if the copy has ended, `stuck` if it does not go on.
   */
  seal(seal: Uint8Array): Promise<SealOutcome>;
  /** Lets go of the pipe. Otherwise the task's deletion waits for it, 2 to 10 seconds. */
  close(): Promise<void>;
}

/** A shim, and what it copies. */
export interface Shim {
  readonly copies: readonly ShimCopy[];
  /** Whether the step's first process still runs. */
  hasProcess(): Promise<boolean>;
  isAlive(): Promise<boolean>;
}

/**
 * Finds the shim of a created task through /proc: the parent of its first process, if it has our files open.
 *
 * @param pid the task's first process.
 * @param outputs our files for its descriptors 1 and 2.
 * @returns undefined if the shim is not on this machine, we may not look at it, or the process has ended.
 */
export async function findShim(pid: number, outputs: readonly FileHandle[]): Promise<Shim | undefined> {
  const copies: ShimCopy[] = [];
  try {
    const process = await readProcess(pid);
    const shim = await readProcess(process.parent);
    const descriptors = readDescriptors(shim.pid);
    for (const [at, output] of outputs.entries()) {
      const end = `/proc/${pid}/fd/${at + 1}`;
      const pipe = await readlink(end);
      const source = descriptors.find(({ link }) => link === pipe);
      const ours = identify(await output.stat());
      const target = descriptors.find(({ id }) => id === ours);
      if (!pipe.startsWith("pipe:") || source === undefined || target === undefined)
        throw new Error("not the shim");
      copies.push(createCopy(target.path, ours, await openPipe(source.path)));
      // The pipe may have ended before we held it, and nothing tells that end from a copy that has failed.
      // Whether the process runs would not tell it: it closes its files a moment before its end.
      if ((await readlink(end)) !== pipe) throw new Error("the process has closed its output");
    }
    return {
      copies,
      hasProcess: () => isSame(process),
      isAlive: () => isSame(shim),
    };
  } catch {
    await Promise.all(copies.map((copy) => copy.close()));
    return undefined;
  }
}

function createCopy(path: string, file: string, pipe: FileHandle): ShimCopy {
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= pipe.close());
  const isRunning = (): Promise<boolean> =>
    stat(path).then(
      (status) => identify(status) === file,
      (reason: unknown) => !hasCode(reason, "ENOENT") && !hasCode(reason, "ESRCH"),
    );
  async function seal(bytes: Uint8Array): Promise<SealOutcome> {
    const giveUpAt = performance.now() + SEAL_MS;
    while (closed === undefined && performance.now() < giveUpAt) {
      if (!(await isRunning())) return "failed";
      try {
        await pipe.write(bytes);
        return "sealed";
      } catch (reason) {
        // The pipe is full. Its reader is the shim, and no event tells us that it has read.
        if (!hasCode(reason, "EAGAIN")) return "failed";
        await delay(POLL_MS);
      }
    }
    return "stuck";
  }
  return { isRunning, seal: (bytes) => seal(bytes).finally(close), close };
}

/** Never waits: with O_NONBLOCK a full pipe is an error. */
function openPipe(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_NONBLOCK);
}

/**
 * Whether one of these processes has one of our files open. A shim closes them when it has copied everything.
 *
 * @returns undefined if we may not look.
 */
export async function haveOpen(
  pids: readonly number[],
  outputs: readonly FileHandle[],
): Promise<boolean | undefined> {
  const ours = new Set<string>();
  for (const output of outputs) ours.add(identify(await output.stat()));
  try {
    return pids.some((pid) => descriptorsIfAlive(pid).some(({ id }) => ours.has(id)));
  } catch {
    return undefined;
  }
}

interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  /** It has ended, or the kernel has begun to end it: then it may have closed its files already. */
  readonly isOver: boolean;
  /** In clock ticks since the machine's start. Tells a process from a later one with the same id. */
  readonly startedAt: string;
}

/** A bit of a process's flags (include/linux/sched.h). */
const PF_EXITING = 0x4;

/** Reads /proc/<pid>/stat; see proc_pid_stat(5). The name in brackets may contain anything. */
async function readProcess(pid: number): Promise<ProcessState> {
  // Synchronous, as below: five turns of a thread take longer.
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const isOver = fields[0] === "Z" || fields[0] === "X" || (Number(fields[6]) & PF_EXITING) !== 0;
  return { pid, isOver, parent: Number(fields[1]), startedAt: fields[19] ?? "" };
}

/** Whether a process runs. Also true if we cannot look. */
export async function isRunning(pid: number): Promise<boolean> {
  return readProcess(pid).then(
    ({ isOver }) => !isOver,
    (reason: unknown) => !hasCode(reason, "ENOENT") && !hasCode(reason, "ESRCH"),
  );
}

/** Whether a process still runs. Also true if we cannot look, for example with too many open files. */
async function isSame({ pid, startedAt }: ProcessState): Promise<boolean> {
  try {
    const now = await readProcess(pid);
    return now.startedAt === startedAt && !now.isOver;
  } catch (reason) {
    return !hasCode(reason, "ENOENT") && !hasCode(reason, "ESRCH");
  }
}

interface Descriptor {
  readonly path: string;
  readonly link: string;
  readonly id: string;
}

/** Synchronous: /proc never waits, and a thread for each of about 30 descriptors takes longer. */
function readDescriptors(pid: number): Descriptor[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((name) => {
    const path = `${directory}/${name}`;
    try {
      return [{ path, link: readlinkSync(path), id: identify(statSync(path)) }];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

function descriptorsIfAlive(pid: number): Descriptor[] {
  try {
    return readDescriptors(pid);
  } catch (reason) {
    if (hasCode(reason, "ENOENT") || hasCode(reason, "ESRCH")) return [];
    throw reason;
  }
}

function identify({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}

function hasCode(reason: unknown, code: string): boolean {
  return reason instanceof Error && "code" in reason && reason.code === code;
}
