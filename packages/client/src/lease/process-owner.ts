import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** The label that names the process for which a lease was made. */
export const OWNER_LABEL = "wfe-containerd/owner";

/**
 * Identifies this process, so that another process can later tell whether it still runs. The text has host,
 * boot, PID namespace, process id and start time. The start time is needed because process ids are reused.
 */
export async function currentOwner(): Promise<string> {
  const start = (await startTime(process.pid)) ?? 0;
  return [hostname(), await bootId(), await pidNamespace(), process.pid, start].join("/");
}

/**
 * Whether the process with this {@link currentOwner} has ended. Undefined if this process cannot know: the
 * owner runs on another machine, or in another PID namespace, for example in another container.
 */
export async function isOwnerGone(owner: string): Promise<boolean | undefined> {
  const [host, boot, namespace, pid, start] = owner.split("/");
  if (host !== hostname()) return undefined;
  if (boot !== (await bootId())) return true;
  // Containers of one machine may share its host name, for example pods on the host's network.
  if (namespace !== (await pidNamespace())) return undefined;
  const startedAt = await startTime(Number(pid));
  if (startedAt !== undefined) return String(startedAt) !== start;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (reason) {
    return (reason as NodeJS.ErrnoException).code === "ESRCH";
  }
}

async function bootId(): Promise<string> {
  const id = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return id.slice(0, 8);
}

/** The inode number of the PID namespace. Empty on a system without PID namespaces. */
async function pidNamespace(): Promise<string> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return link.replaceAll(/\D/g, "");
}

/**
 * The process's start time, in clock ticks since boot. Undefined without such a process, or without /proc.
 */
async function startTime(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The command, in parentheses, may contain any character, so we split after the last ")". The rest begins
  // with field 3. Its index 19 is field 22, the start time (proc(5)).
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? undefined : Number(ticks);
}
