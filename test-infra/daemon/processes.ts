import { readdir, readFile, readlink } from "node:fs/promises";

/** What was true of a process when it was read. */
export interface Process {
  readonly pid: number;
  /** Empty for a kernel thread or a zombie. */
  readonly args: readonly string[];
  /** Its control group in each hierarchy, from the hierarchy's root. */
  readonly cgroups: readonly string[];
  /** For example `net:[4026531840]`. Empty for a zombie. */
  readonly networkNamespace: string;
}

/** Lists all processes that this process can see. */
export async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = await Promise.all(pids.map(lookAt));
  return processes.filter((process) => process !== undefined);
}

/** Finds a daemon's shims: they have its socket among their arguments. */
export function shimsAmong(processes: readonly Process[], socketPath: string): Process[] {
  return processes.filter(({ args }) => /containerd-shim/.test(args[0] ?? "") && args.includes(socketPath));
}

/** Finds the processes in the containers of a containerd namespace, even if their shim has died. */
export function containedAmong(processes: readonly Process[], namespace: string): Process[] {
  return processes.filter(({ cgroups }) => cgroups.some((path) => path.startsWith(`/${namespace}/`)));
}

/** @returns undefined when the process has ended meanwhile. */
async function lookAt(pid: number): Promise<Process | undefined> {
  try {
    const [cmdline, cgroup, networkNamespace] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile(`/proc/${pid}/cgroup`, "utf8"),
      // A zombie has no network namespace any more.
      readlink(`/proc/${pid}/ns/net`).catch(() => ""),
    ]);
    const cgroups = cgroup.split("\n").map((line) => line.split(":").slice(2).join(":"));
    return { pid, args: cmdline.split("\0").slice(0, -1), cgroups, networkNamespace };
  } catch {
    return undefined;
  }
}
