import { readdir, readFile } from "node:fs/promises";

/** The processes of a daemon's shims, and of what runs in their containers: by the daemon's socket in the shims' arguments. */
export async function shimsOf(socketPath: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  const shims: number[] = [];
  for (const pid of pids) {
    const [args, status] = await Promise.all([read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/stat`)]);
    const parts = args.split("\0");
    if (/containerd-shim/.test(parts[0] ?? "") && parts.includes(socketPath)) shims.push(pid);
    // After the command in parentheses, which may hold anything: state, parent.
    parents.set(pid, Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const family = new Set(shims);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** Empty when the process has gone meanwhile. */
async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
