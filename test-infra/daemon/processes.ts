import { readdirSync, readFileSync, readlinkSync } from "node:fs";

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

/**
 * Lists all processes that this process can see. Synchronously: tests do it hundreds of times, and a promise
 * for each file takes six times the CPU.
 */
export function listProcesses(): Process[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).flatMap((pid) => lookAt(pid) ?? []);
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
function lookAt(pid: number): Process | undefined {
  try {
    const cmdline = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    const cgroups = cgroup.split("\n").map((line) => line.split(":").slice(2).join(":"));
    return { pid, args: cmdline.split("\0").slice(0, -1), cgroups, networkNamespace: networkOf(pid) };
  } catch {
    return undefined;
  }
}

function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    // A zombie has no network namespace any more.
    return "";
  }
}
