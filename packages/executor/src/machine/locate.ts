import { readFile, readlink } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";
import type { Locality } from "../core/plan/daemon.js";

/** Of every Linux. Source: the kernel's include/linux/proc_ns.h, PROC_PID_INIT_INO. */
const FIRST_PID_NAMESPACE = 4_026_531_836;

/** Where a daemon is. A Unix socket says little: ssh and Lima forward those of other machines. */
export async function locateDaemon(client: Client): Promise<Locality> {
  if (!client.isLocal || process.platform !== "linux") return "elsewhere";
  return locateProcess((await client.introspection.server()).process);
}

/**
 * Where a daemon is that says, since 1.7, which process it is: one of that number is looked for, and its name. Before that, an executor outside of
 * any container takes the daemon for its neighbour.
 */
export async function locateProcess(
  daemon: { readonly pid: number; readonly pidNamespace: number } | undefined,
): Promise<Locality> {
  const ours = await readlink("/proc/self/ns/pid").catch(() => "");
  if (ours !== `pid:[${daemon?.pidNamespace ?? FIRST_PID_NAMESPACE}]`) return "beside";
  if (daemon === undefined) return "here";
  const name = await readFile(`/proc/${daemon.pid}/comm`, "utf8").catch(() => "");
  return name.startsWith("containerd") ? "here" : "elsewhere";
}
