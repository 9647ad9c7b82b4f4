import { execFile } from "node:child_process";
import { type FileHandle, mkdir, open, rm, rmdir, statfs, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A file system of a few megabytes that can be filled. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Fills it to the last block. */
  fill(): Promise<void>;
  /** Undoes `fill`. */
  free(): Promise<void>;
}

const SPARE_BYTES = 2 * 1024 * 1024;
const BLOCKS = [256 * 1024, 4096];

/** Mounts a small disk in memory at a new directory. */
export async function mountMemory(path: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=700`, "tmpfs", path]);
  return smallDisk(path, async () => {
    await unmount(path);
    await rmdir(path);
  });
}

/** Mounts a small disk in a file beside a new directory: ext4, on a loop device. */
export async function mountLoop(path: string, megabytes: number): Promise<SmallDisk> {
  const image = `${path}.img`;
  await mkdir(path, { recursive: true });
  await truncateNew(image, megabytes * 1024 * 1024);
  // Nothing is reserved for root: containerd is root.
  await run("mkfs.ext4", ["-q", "-m", "0", image]);
  await run("mount", ["-o", "loop", image, path]);
  return smallDisk(path, async () => {
    // The daemon's end has unmounted it already.
    await unmount(path).catch(() => undefined);
    await rm(image, { force: true });
  });
}

function smallDisk(path: string, dispose: () => Promise<void>): SmallDisk {
  const filler = join(path, "filler");
  return {
    path,
    async fill() {
      await using file = await open(filler, "w");
      const { bavail, bsize } = await statfs(path);
      // Quicker than to write. The disk needs some blocks for itself, and others write, too.
      const bytes = bavail * bsize - SPARE_BYTES;
      if (bytes > 0) await run("fallocate", ["--length", String(bytes), filler]);
      for (const size of BLOCKS) await writeUntilFull(file, new Uint8Array(size).fill(1));
    },
    free: () => rm(filler, { force: true }),
    [Symbol.asyncDispose]: dispose,
  };
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

async function truncateNew(path: string, bytes: number): Promise<void> {
  await (await open(path, "wx")).close();
  await truncate(path, bytes);
}

const UNMOUNT_MS = 100_000;
const AGAIN_MS = 20;

/** A shim closes its files a moment after it has told that all is copied. */
async function unmount(path: string): Promise<void> {
  const giveUpAt = performance.now() + UNMOUNT_MS;
  for (;;) {
    try {
      await run("umount", [path]);
      return;
    } catch (reason) {
      if (!/busy/.test(String(reason)) || performance.now() > giveUpAt) throw reason;
      await delay(AGAIN_MS);
    }
  }
}
