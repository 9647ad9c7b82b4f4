import { readdir, readFile, readlink } from "node:fs/promises";
import { listProcessIds } from "./process-ids.js";
import { resolvePath } from "./socket-path.js";

/** In the column of flags: a process accepts connections (include/linux/net.h, `__SO_ACCEPTCON`). */
const LISTENING = "00010000";

/**
 * Whether a process with such a name listens on a Unix socket.
 *
 * @returns undefined if that cannot be seen: only root may, and in the same network namespace.
 */
export async function isListener(name: RegExp, path: string): Promise<boolean | undefined> {
  const links = new Set((await listeningInodes(path)).map((inode) => `socket:[${inode}]`));
  if (links.size === 0) return undefined;
  for (const pid of await listProcessIds()) {
    if (!name.test(await readFile(`/proc/${pid}/comm`, "utf8").catch(() => ""))) continue;
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(emptyIfEnded);
    if (descriptors === undefined) return undefined;
    for (const descriptor of descriptors)
      if (links.has(await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => ""))) return true;
  }
  return false;
}

/** A process that has ended meanwhile holds nothing. Those of other users cannot be seen. */
function emptyIfEnded({ code }: NodeJS.ErrnoException): string[] | undefined {
  return code === "ENOENT" || code === "ESRCH" ? [] : undefined;
}

async function listeningInodes(path: string): Promise<string[]> {
  const real = await resolvePath(path);
  const inodes: string[] = [];
  for (const line of (await readFile("/proc/net/unix", "utf8").catch(() => "")).split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path
    const [, , , flags, , , inode = "", ...rest] = line.split(" ").filter((column) => column !== "");
    if (flags === LISTENING && rest.length > 0 && (await resolvePath(rest.join(" "))) === real)
      inodes.push(inode);
  }
  return inodes;
}
