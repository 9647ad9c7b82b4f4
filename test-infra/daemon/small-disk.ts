import { execFile } from "node:child_process";
import { type FileHandle, mkdir, mkdtemp, open, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A file system of a fixed size, which can be filled. */
export interface SmallDisk extends AsyncDisposable {
  readonly directory: string;
  /** Takes all of the free space but for some bytes, also while others write. */
  fill(leaveBytes?: number): Promise<void>;
  /** Undoes `fill`. */
  free(): Promise<void>;
}

export interface MemoryDiskOptions {
  readonly sizeBytes: number;
  /** How many files and directories it can hold. `fill()` takes them all, too. Default: any number. */
  readonly files?: number;
}

/** What the disk needs for itself, and others write meanwhile. */
const SPARE_BYTES = 2 * 1024 * 1024;
const BLOCKS = [256 * 1024, 4096];

/**
 * Mounts a disk in memory.
 *
 * @param parent where its directory is made, for example in that of a test's daemon.
 */
export async function mountMemory(
  parent: string,
  { sizeBytes, files }: MemoryDiskOptions,
): Promise<SmallDisk> {
  const directory = await mkdtemp(join(parent, "disk-"));
  const limits = `size=${sizeBytes}${files === undefined ? "" : `,nr_inodes=${files}`}`;
  await run("mount", ["-t", "tmpfs", "-o", `${limits},mode=700`, "tmpfs", directory]);
  return smallDisk(directory, { hasFewFiles: files !== undefined });
}

/** Mounts a disk in a file at a new directory: ext4, on a loop device. */
export async function mountLoop(directory: string, sizeBytes: number): Promise<SmallDisk> {
  await mkdir(directory);
  const image = `${directory}.img`;
  await run("truncate", ["--size", String(sizeBytes), image]);
  // Nothing is reserved for root: containerd is root.
  await run("mkfs.ext4", ["-q", "-m", "0", image]);
  await run("mount", ["-o", "loop", image, directory]);
  await rm(image);
  return smallDisk(directory, { hasFewFiles: false });
}

function smallDisk(directory: string, { hasFewFiles }: { readonly hasFewFiles: boolean }): SmallDisk {
  const filler = join(directory, "filler");
  return {
    directory,
    async fill(leaveBytes = 0) {
      await mkdir(filler);
      await fillBytes(join(filler, "bytes"), leaveBytes);
      if (!hasFewFiles) return;
      const makeFiles = 'cd "$0"; i=0; while : > $i; do i=$((i+1)); done';
      // It fails when there can be no further file.
      await run("sh", ["-c", makeFiles, filler]).catch(() => undefined);
    },
    free: () => rm(filler, { recursive: true, force: true }),
    async [Symbol.asyncDispose]() {
      // A shim closes its files a moment after it has told that all is copied. The end of a daemon unmounts
      // what is in its directory.
      const isMounted = (await readFile("/proc/self/mountinfo", "utf8")).includes(` ${directory} `);
      if (isMounted) await run("umount", ["--lazy", directory]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function fillBytes(path: string, leaveBytes: number): Promise<void> {
  await using file = await open(path, "wx");
  const { bavail, bsize } = await statfs(path);
  const isWhole = leaveBytes === 0;
  // Quicker than to write.
  const bytes = bavail * bsize - (isWhole ? SPARE_BYTES : leaveBytes);
  if (bytes > 0) await run("fallocate", ["--length", String(bytes), path]);
  if (isWhole) for (const size of BLOCKS) await writeUntilFull(file, new Uint8Array(size).fill(1));
}

async function writeUntilFull(file: FileHandle, block: Uint8Array): Promise<void> {
  for (;;) {
    try {
      const { size } = await file.stat();
      const { bytesWritten } = await file.write(block, 0, block.byteLength, size);
      if (bytesWritten < block.byteLength) return;
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw reason;
    }
  }
}
