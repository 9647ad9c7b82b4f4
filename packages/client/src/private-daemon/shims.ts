import { readdir, readFile } from "node:fs/promises";

/**
 * The process ids of a daemon's shims, and of all processes in their containers. A shim is recognised by the
 * daemon's socket in its arguments.
 */
export async function shimsOf(socketPath: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  const shims: number[] = [];
  for (const pid of pids) {
    const [args, status] = await Promise.all([read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/stat`)]);
    const parts = args.split("\0");
    if (/containerd-shim/.test(parts[0] ?? "") && parts.includes(socketPath)) shims.push(pid);
    // The command, in parentheses, may contain any character. After it come the state and the parent.
    parents.set(pid, Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const family = new Set(shims);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** Empty if the process has ended meanwhile. */
async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
