import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import type { Daemon } from "@wfe-containerd/client/daemon";

/** Everything that a step may leave behind, by kind; each entry names one thing. */
export type Inventory = Readonly<Record<Kind, readonly string[]>>;

type Kind =
  | "containers"
  | "tasks"
  | "snapshots"
  | "leases"
  | "ingests"
  | "shims"
  | "mounts"
  | "cgroups"
  | "network namespaces"
  | "output files"
  | "open FIFOs and output files";

export interface InventoryOptions {
  readonly daemon: Daemon;
  readonly client: Client;
  /** Where executors put their output files. */
  readonly ioDir?: string | undefined;
}

/** Counts, by reading alone, what is there now, in all of the daemon's namespaces. */
export async function takeInventory({ daemon, client, ioDir }: InventoryOptions): Promise<Inventory> {
  const { namespaces } = await client.services.namespaces.list({});
  const inventory: Record<Kind, string[]> = {
    containers: [],
    tasks: [],
    snapshots: [],
    leases: [],
    ingests: [],
    shims: await shims(daemon.socketPath),
    mounts: await mounts(daemon.directory),
    cgroups: [],
    "network namespaces": await networkNamespaces(),
    "output files": ioDir === undefined ? [] : await readdir(ioDir).catch(() => []),
    "open FIFOs and output files": await openOutputs(),
  };
  for (const { name } of namespaces) {
    const view = client.with({ namespace: name });
    inventory.containers.push(...(await view.containers.list()).map(({ id }) => `${name}/${id}`));
    inventory.tasks.push(...(await view.tasks.list()).map(({ id }) => `${name}/${id}`));
    inventory.leases.push(...(await view.leases.list()).map(({ id }) => `${name}/${id}`));
    inventory.ingests.push(...(await view.content.listStatuses()).map(({ ref }) => `${name}/${ref}`));
    for await (const snapshot of view.snapshots.list()) inventory.snapshots.push(`${name}/${snapshot.name}`);
    inventory.cgroups.push(...(await cgroups(name)));
  }
  return inventory;
}

/** What is in `after` and was not in `before`, by kind; kinds without any are left out. */
export function whatIsLeft(before: Inventory, after: Inventory): Partial<Record<Kind, string[]>> {
  const left: Partial<Record<Kind, string[]>> = {};
  for (const kind of Object.keys(after) as Kind[]) {
    const known = new Set(before[kind]);
    const extra = after[kind].filter((name) => !known.has(name));
    if (extra.length > 0) left[kind] = extra;
  }
  return left;
}

async function shims(socketPath: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (/containerd-shim/.test(args[0] ?? "") && args.includes(socketPath)) found.push(`${pid} ${args.join(" ")}`);
  }
  return found;
}

async function mounts(directory: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(`${directory}/`));
}

/** The groups below `/<containerd namespace>` in every hierarchy. */
async function cgroups(namespace: string): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  const hierarchies = [root, ...(await readdir(root)).map((name) => join(root, name))];
  const found: string[] = [];
  for (const hierarchy of hierarchies) {
    const group = join(hierarchy, namespace);
    const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) found.push(join(group, entry.name));
  }
  return found;
}

/** Those that some process is in, by inode. */
async function networkNamespaces(): Promise<string[]> {
  const found = new Set<string>();
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const link = await readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
    if (link !== undefined) found.add(link);
  }
  return [...found];
}

/** This process's descriptors of FIFOs and of steps' output files. */
async function openOutputs(): Promise<string[]> {
  const found: string[] = [];
  for (const fd of await readdir("/proc/self/fd")) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
    if (/\/(?:stdout|stderr)(?: \(deleted\))?$/.test(target)) found.push(`${fd} ${target}`);
  }
  return found;
}
