import { readdir, readFile, readlink } from "node:fs/promises";

/** A process, as it was when it was looked at. */
export interface Process {
  readonly pid: number;
  /** Its arguments, by NUL; empty for a kernel thread or a zombie. */
  readonly args: readonly string[];
  /** Its group in each hierarchy, from that hierarchy's root. */
  readonly cgroups: readonly string[];
  /** `net:[4026531840]` */
  readonly networkNamespace: string;
}

/** All processes that this one can see. */
export async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = await Promise.all(pids.map(lookAt));
  return processes.filter((process) => process !== undefined);
}

/** A daemon's shims, by its socket among their arguments. */
export function shimsAmong(processes: readonly Process[], socketPath: string): Process[] {
  return processes.filter(({ args }) => /containerd-shim/.test(args[0] ?? "") && args.includes(socketPath));
}

/** What runs in the containers of one of containerd's namespaces, whether or not their shim still lives. */
export function containedAmong(processes: readonly Process[], namespace: string): Process[] {
  return processes.filter(({ cgroups }) => cgroups.some((path) => path.startsWith(`/${namespace}/`)));
}

/** Undefined when it has gone meanwhile. */
async function lookAt(pid: number): Promise<Process | undefined> {
  try {
    const [cmdline, cgroup, networkNamespace] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile(`/proc/${pid}/cgroup`, "utf8"),
      // A zombie is in none any more.
      readlink(`/proc/${pid}/ns/net`).catch(() => ""),
    ]);
    const cgroups = cgroup.split("\n").map((line) => line.split(":").slice(2).join(":"));
    return { pid, args: cmdline.split("\0").slice(0, -1), cgroups, networkNamespace };
  } catch {
    return undefined;
  }
}
