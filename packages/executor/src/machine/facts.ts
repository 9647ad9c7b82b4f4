import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import type { Client } from "@wfe-containerd/client";
import type { Locality, MachineFacts } from "../core/plan/machine-facts.js";
import { CAPABILITIES } from "../core/spec/capability-names.js";
import { locateDaemon } from "./locate.js";

/**
 * Describes the daemon's machine, as far as plans depend on it. The daemon tells its platform. The kernel and
 * its features can be read only if the daemon runs on this machine. Where they are unknown, a plan assumes
 * the least.
 */
export async function describeMachine(client: Client): Promise<MachineFacts> {
  const [platform, locality] = await Promise.all([
    client.introspection.daemonPlatform(),
    locateDaemon(client),
  ]);
  if (locality === "remote") return { platform, locality };
  const pid = await findProcess(client, locality);
  const capabilities = pid === undefined ? undefined : await readCapabilities(pid);
  return {
    platform,
    locality,
    kernelVersion: release(),
    cpuCount: cpus().length,
    cgroupNamespace: existsSync("/proc/self/ns/cgroup"),
    capabilities,
    inUserNamespace: pid === undefined ? undefined : await isInUserNamespace(pid),
    maximumOpenFiles: pid === undefined ? undefined : await readMaximumOpenFiles(pid, capabilities),
    minimumOomScoreAdj: pid === undefined ? undefined : await readMinimumOomScoreAdj(pid, capabilities),
    appArmor: (await readOrEmpty("/sys/module/apparmor/parameters/enabled")).startsWith("Y"),
    defaultAppArmorProfile: findDefaultProfile(await readOrEmpty("/sys/kernel/security/apparmor/profiles")),
  };
}

/** Profiles for containers in general. docker, nerdctl, podman and Kubernetes' runtimes load them. */
const DEFAULT_PROFILES =
  /^(docker-default|nerdctl-default|containers-default-[\w.]+|cri-containerd\.apparmor\.d) \(enforce\)$/m;

/** The profile for containers that is loaded on the machine. containerd's API cannot load one. */
export function findDefaultProfile(loaded: string): string | undefined {
  return DEFAULT_PROFILES.exec(loaded)?.[1];
}

/**
 * The process whose limits show what the daemon's runtime can grant. A daemon in a container, or under a
 * service manager that restricts it, cannot grant everything. Before containerd 1.7 a daemon does not tell
 * its process id. Then our own process is the best guess.
 */
async function findProcess(client: Client, locality: Locality): Promise<number | "self" | undefined> {
  const { process: daemon } = await client.introspection.server();
  if (daemon === undefined) return "self";
  return locality === "local" ? daemon.pid : undefined;
}

/** A process's bounding set of capabilities, by name. Undefined if it cannot be read. */
async function readCapabilities(pid: number | "self"): Promise<string[] | undefined> {
  const [, mask] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(await readOrEmpty(`/proc/${pid}/status`)) ?? [];
  if (mask === undefined) return undefined;
  const bits = BigInt(`0x${mask}`);
  return CAPABILITIES.filter((_, bit) => (bits >> BigInt(bit)) & 1n);
}

/**
 * The lowest score that the daemon can surely set; undefined if there is no such limit. Without
 * CAP_SYS_RESOURCE, a process cannot go below the minimum that was set for it. The kernel does not show this
 * minimum, but it is at most the current score.
 */
async function readMinimumOomScoreAdj(
  pid: number | "self",
  capabilities: readonly string[] | undefined,
): Promise<number | undefined> {
  if (capabilities?.includes("CAP_SYS_RESOURCE") !== false) return undefined;
  const own = Number(await readOrEmpty(`/proc/${pid}/oom_score_adj`));
  return own > 0 ? own : undefined;
}

/** Only the machine's first user namespace maps every id. Source: user_namespaces(7). */
async function isInUserNamespace(pid: number | "self"): Promise<boolean | undefined> {
  const map = await readOrEmpty(`/proc/${pid}/uid_map`);
  return map === "" ? undefined : !/^\s*0\s+0\s+4294967295\s*$/.test(map);
}

/** Only a process with CAP_SYS_RESOURCE can raise its hard limit. Source: setrlimit(2). */
async function readMaximumOpenFiles(
  pid: number | "self",
  capabilities: readonly string[] | undefined,
): Promise<number | undefined> {
  if (capabilities?.includes("CAP_SYS_RESOURCE") === true) return undefined;
  const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(await readOrEmpty(`/proc/${pid}/limits`)) ?? [];
  return hard === undefined ? undefined : Number(hard);
}

function readOrEmpty(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
