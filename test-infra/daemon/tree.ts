import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * What is in a directory, however deep. What goes while this looks is left out: containerd removes snapshots after it has answered, and
 * `readdir` with `recursive` fails for the whole tree when one directory of it is gone.
 */
export async function listTree(directory: string): Promise<Dirent[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((reason: NodeJS.ErrnoException) => {
    if (reason.code === "ENOENT") return [];
    throw reason;
  });
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  return [...entries, ...(await Promise.all(below.map(listTree))).flat()];
}
