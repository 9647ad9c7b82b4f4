import { readFile, readlink } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";
import type { Locality } from "../core/plan/machine-facts.js";
import { isListener } from "./listener.js";
import { socketPathOf } from "./socket-path.js";

/**
 * The inode of the first PID namespace, the same on every Linux. Source: include/linux/proc_ns.h,
 * PROC_PID_INIT_INO.
 */
const FIRST_PID_NAMESPACE = 4_026_531_836;

/** The name of a daemon's process. Shims have such names, too. */
const DAEMON = /^containerd(?!-shim)/;

/**
 * Finds out where a daemon runs. A Unix socket is not proof that it is local: ssh and Lima forward sockets of
 * other machines.
 */
export async function locateDaemon(client: Client): Promise<Locality> {
  if (!client.isLocal || process.platform !== "linux") return "remote";
  const daemon = (await client.introspection.server()).process;
  const locality = await locateProcess(daemon);
  if (locality !== "local" || daemon !== undefined) return locality;
  // It may be in a VM all the same. A program that forwards its socket is not containerd.
  const isForwarded = (await isListener(DAEMON, socketPathOf(client))) === false;
  return isForwarded ? "remote" : "local";
}

/**
 * Locates a daemon by its process: is there a process with its id, named containerd, in our PID namespace?
 * Daemons tell their process since containerd 1.7. An executor in the machine's first PID namespace assumes
 * that an older one is local.
 */
export async function locateProcess(
  daemon: { readonly pid: number; readonly pidNamespace: number } | undefined,
): Promise<Locality> {
  const ours = await readlink("/proc/self/ns/pid").catch(() => "");
  if (ours !== `pid:[${daemon?.pidNamespace ?? FIRST_PID_NAMESPACE}]`) return "containerized";
  if (daemon === undefined) return "local";
  const name = await readFile(`/proc/${daemon.pid}/comm`, "utf8").catch(() => "");
  return DAEMON.test(name) ? "local" : "remote";
}
