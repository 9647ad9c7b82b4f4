import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** The label by which leases say which process they are for. */
export const OWNER_LABEL = "wfe-containerd/owner";

/**
 * Names this process so that another one, later, can tell whether it still lives: host, boot, PID namespace, process id, and when that process
 * was started, for ids are used again.
 */
export async function currentOwner(): Promise<string> {
  const start = (await startTime(process.pid)) ?? 0;
  return [hostname(), await bootId(), await pidNamespace(), process.pid, start].join("/");
}

/**
 * Whether a process that named itself by {@link currentOwner} is gone; undefined when that cannot be known from here: it is of another machine, or
 * of another PID namespace, as one in another container is.
 */
export async function isOwnerGone(owner: string): Promise<boolean | undefined> {
  const [host, boot, namespace, pid, start] = owner.split("/");
  if (host !== hostname()) return undefined;
  if (boot !== (await bootId())) return true;
  // Containers of one machine may share its host name, as pods on its network do.
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

/** Its number; empty where there are none. */
async function pidNamespace(): Promise<string> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return link.replaceAll(/\D/g, "");
}

/** In clock ticks since the boot; undefined where there is no such process, or no /proc. */
async function startTime(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // After the command in parentheses, which may hold anything, the third field; the whole line's twenty-second.
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? undefined : Number(ticks);
}
