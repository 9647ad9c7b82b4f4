import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Lists everything below a directory. What disappears meanwhile is left out: containerd removes snapshots
 * after it has answered, and `readdir` with `recursive` fails as a whole when one directory is gone.
 */
export async function listTree(directory: string): Promise<Dirent[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((reason: NodeJS.ErrnoException) => {
    if (reason.code === "ENOENT") return [];
    throw reason;
  });
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  return [...entries, ...(await Promise.all(below.map(listTree))).flat()];
}
