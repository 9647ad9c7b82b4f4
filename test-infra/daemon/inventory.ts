import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import { containedAmong, listProcesses, shimsAmong } from "./processes.js";
import { listTree } from "./tree.js";

/** Everything that a step could leave behind, by kind. Each entry names one thing. */
export type Inventory = Readonly<Record<Kind, readonly string[]>>;

type Kind = (typeof KINDS)[number];
const KINDS = [
  "containers",
  "tasks",
  "snapshots",
  "leases",
  "ingests",
  "images",
  "content",
  "shims",
  "processes in containers",
  "network namespaces",
  "mounts",
  "cgroups",
  "files in the IO directory",
  "open descriptors",
] as const;

export interface InventoryOptions {
  /** The containerd to look at. Things of other daemons on this machine are not counted. */
  readonly daemon: { readonly socketPath: string; readonly directory: string; readonly pid: number };
  readonly client: Client;
  /** Where executors put output files. */
  readonly ioDir?: string | undefined;
  /**
   * Also count images, content and the base layers of images. Pulls, imports and the first step of an image
   * leave these behind on purpose; they go with the image. @default false
   */
  readonly images?: boolean | undefined;
}

/** Lists what exists now, in all of the daemon's namespaces. Changes nothing. */
export async function takeInventory({
  daemon,
  client,
  ioDir,
  images = false,
}: InventoryOptions): Promise<Inventory> {
  const found = Object.fromEntries(KINDS.map((kind) => [kind, [] as string[]])) as Record<Kind, string[]>;
  const processes = listProcesses();
  const shims = shimsAmong(processes, daemon.socketPath);
  found.shims.push(...shims.map(({ pid, args }) => `${pid} ${args.join(" ")}`));
  const { namespaces } = await client.services.namespaces.list({});
  const inContainers = namespaces.flatMap(({ name }) => containedAmong(processes, name));
  found["processes in containers"].push(...inContainers.map(({ pid, args }) => `${pid} ${args.join(" ")}`));
  const networks = new Set([...shims, ...inContainers].map(({ networkNamespace }) => networkNamespace));
  networks.delete(await readlink("/proc/self/ns/net"));
  found["network namespaces"].push(...networks);
  found.mounts.push(...(await mountsBelow([daemon.directory, ioDir], daemon.pid)));
  if (ioDir !== undefined) found["files in the IO directory"].push(...(await filesBelow(ioDir)));
  found["open descriptors"].push(...(await openFiles([daemon.directory, ioDir])));
  for (const { name } of namespaces) await countRecords(client.with({ namespace: name }), found, images);
  return found;
}

/** Adds containerd's own records in the client's namespace, and the namespace's control groups. */
async function countRecords(client: Client, found: Record<Kind, string[]>, images: boolean): Promise<void> {
  const { namespace } = client;
  const add = (kind: Kind, names: readonly string[]): void =>
    void found[kind].push(...names.map((name) => `${namespace}/${name}`));
  add(
    "containers",
    (await client.containers.list()).map(({ id }) => id),
  );
  add(
    "tasks",
    (await client.tasks.list()).map(({ id }) => id),
  );
  add(
    "leases",
    (await client.leases.list()).map(({ id }) => id),
  );
  add(
    "ingests",
    (await client.content.listStatuses()).map(({ ref }) => ref),
  );
  for await (const { name, kind, labels } of client.snapshots.list())
    if (images || kind !== "committed" || labels["wfe-containerd/base"] === undefined)
      add("snapshots", [name]);
  if (images) {
    add(
      "images",
      (await client.images.list()).map(({ name }) => name),
    );
    for await (const { digest } of client.content.list()) add("content", [digest]);
  }
  found.cgroups.push(...(await groupsOf(namespace)));
}

/** @returns what is in `after` and not in `before`, by kind. Kinds with nothing new are left out. */
export function whatIsLeft(before: Inventory, after: Inventory): Partial<Record<Kind, string[]>> {
  const left: Partial<Record<Kind, string[]>> = {};
  for (const kind of KINDS) {
    // A process that has just started still has the arguments of runc.
    const identify = (name: string): string =>
      kind === "processes in containers" ? (name.split(" ")[0] as string) : name;
    const known = new Set(before[kind].map(identify));
    const extra = after[kind].filter((name) => !known.has(identify(name)));
    if (extra.length > 0) left[kind] = extra;
  }
  return left;
}

/**
 * How long a process or a mount may take to disappear after containerd has answered. Usually it takes
 * milliseconds. On a machine that also runs other suites it takes longer.
 */
const SETTLE_MS = 100_000;
const LOOK_AGAIN_MS = 20;

/**
 * Waits until nothing is left, for 100 seconds at most: a shim's process ends a moment after containerd has
 * deleted its task.
 *
 * @returns what is still left.
 */
export async function whatStays(
  before: Inventory,
  take: () => Promise<Inventory>,
): Promise<Partial<Record<Kind, string[]>>> {
  const giveUpAt = performance.now() + SETTLE_MS;
  for (;;) {
    const left = whatIsLeft(before, await take());
    if (Object.keys(left).length === 0 || performance.now() > giveUpAt) return left;
    await delay(LOOK_AGAIN_MS);
  }
}

/**
 * Lists mounts in the daemon's mount namespace, since a remote daemon has its own. While the daemon is down,
 * lists those of this process.
 */
async function mountsBelow(directories: readonly (string | undefined)[], pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() =>
    readFile("/proc/self/mountinfo", "utf8"),
  );
  const lines = text.split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((path) => isBelow(path, directories));
}

/** Lists the groups below `/<containerd namespace>` in every hierarchy. */
async function groupsOf(namespace: string): Promise<string[]> {
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

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await listTree(directory);
  return entries.map((entry) => `${entry.isFIFO() ? "FIFO " : ""}${join(entry.parentPath, entry.name)}`);
}

/** Lists this process's open files in the directories, and open output files of steps in any directory. */
async function openFiles(directories: readonly (string | undefined)[]): Promise<string[]> {
  const found: string[] = [];
  for (const descriptor of await readdir("/proc/self/fd")) {
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => "");
    const isOutput = /\/(?:stdin|stdout|stderr)(?: \(deleted\))?$/.test(target);
    if (isOutput || isBelow(target, directories)) found.push(target);
  }
  // A file may be open more than once, so entries are counted. The descriptor's number means nothing.
  return found.map(
    (target, at) => `${target} #${found.slice(0, at).filter((other) => other === target).length + 1}`,
  );
}

function isBelow(path: string, directories: readonly (string | undefined)[]): boolean {
  return directories.some((directory) => directory !== undefined && path.startsWith(`${directory}/`));
}
