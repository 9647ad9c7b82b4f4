import { statfs } from "node:fs/promises";
import { ExecutorError } from "../error.js";

const MIB = 1024 * 1024;
/**
 * A disk with less free space than this, or than a quarter of it, is nearly full. A fast step prints this
 * much in less than a second, and it takes a moment to stop it.
 */
const RESERVE_BYTES = 256 * MIB;
const RESERVE_PART = 4;
/** A step with less output than this is never stopped in favour of others. */
const LARGE_BYTES = 64 * MIB;

/** The output of one step, as far as it takes space. */
export interface DiskUser {
  readonly directory: string;
  storedBytes(): Promise<number>;
  /** Stops the step. */
  stop(reason: ExecutorError): void;
}

/** In blocks of `bsize` bytes; see statfs(2). */
export interface DiskSpace {
  readonly bavail: number;
  readonly blocks: number;
  readonly bsize: number;
}

/** All output on one disk that this process knows of. */
interface Disk {
  readonly users: Set<DiskUser>;
  /** It was stopped, and its space is not free yet. */
  stopping?: DiskUser | undefined;
}

const disks = new Map<number, Disk>();

/** Gives back space that is not really needed. Returns whether there was any. */
export type Relief = () => Promise<boolean>;

const reliefs = new Set<Relief>();

/**
 * Registers what to do when a disk is nearly full, before a step is stopped for it.
 *
 * @returns a function that ends it.
 */
export function onLowDisk(relief: Relief): () => void {
  reliefs.add(relief);
  return () => void reliefs.delete(relief);
}

async function relieve(): Promise<boolean> {
  return (await Promise.all([...reliefs].map((relief) => relief()))).includes(true);
}

/** One step's view of the disk that its output is on. */
export interface DiskUse {
  /**
   * Looks how much is free. If the disk is nearly full, stops the step with the most output on it, so that
   * the others can go on.
   *
   * @returns whether the disk is full.
   */
  check(): Promise<boolean>;
  /** Whether the end of a step's output surely fits. */
  hasSpace(): Promise<boolean>;
  end(): void;
}

/**
 * Begins to use a disk.
 *
 * @param device its number, from stat(2).
 * @param space looks how much is free.
 */
export function useDisk(
  device: number,
  user: DiskUser,
  space: () => Promise<DiskSpace> = () => statfs(user.directory),
): DiskUse {
  const disk = disks.get(device) ?? { users: new Set() };
  disks.set(device, disk);
  disk.users.add(user);
  return {
    async check() {
      const { bavail, blocks, bsize } = await space();
      const isLow = bavail * bsize < Math.min(RESERVE_BYTES, (blocks * bsize) / RESERVE_PART);
      if (isLow && disk.stopping === undefined && !(await relieve())) await stopLargest(disk);
      return bavail === 0;
    },
    async hasSpace() {
      const { bavail, bsize } = await space();
      return bavail * bsize > MIB;
    },
    end() {
      disk.users.delete(user);
      if (disk.stopping === user) disk.stopping = undefined;
      if (disk.users.size === 0) disks.delete(device);
    },
  };
}

async function stopLargest(disk: Disk): Promise<void> {
  const users = await Promise.all(
    [...disk.users].map(async (user) => ({ user, bytes: await user.storedBytes().catch(() => 0) })),
  );
  const [largest] = users.toSorted((a, b) => b.bytes - a.bytes);
  if (largest === undefined || largest.bytes < LARGE_BYTES) return;
  // Another check may have been faster.
  if (disk.stopping !== undefined || !disk.users.has(largest.user)) return;
  disk.stopping = largest.user;
  largest.user.stop(
    new ExecutorError(
      `the disk of ${largest.user.directory} is nearly full, and the step has the most output on it: ${Math.floor(largest.bytes / MIB)} MiB`,
      { kind: "io" },
    ),
  );
}
