import { readFile, readlink, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Client } from "@wfe-containerd/client";
import type { Locality } from "../core/plan/daemon.js";
import { refuseAll } from "../core/policy/check-policy.js";
import {
  findMount,
  findPlace,
  type Place,
  parseMountTable,
  type TableMount,
} from "../core/policy/mount-table.js";
import { refuse, requireThat } from "../core/refuse.js";
import type { HostVolume, StepConfig } from "../core/step/step.js";
import { checkStep, type Rules } from "./apply-policy.js";

/** A volume's source that was looked at. */
export interface CheckedSource {
  readonly volume: HostVolume;
  /** Without links. */
  readonly path: string;
  readonly place: Place | undefined;
}

/**
 * Refuses volumes whose sources are links to where the policy does not let steps, or lead to the daemon's own files.
 *
 * Of a daemon elsewhere, sources are known as they are written, so allow there only directories in which nobody else makes links.
 *
 * @returns where the daemon is here, what was looked at: for {@link followSources} and {@link confirmSources}.
 * @throws ExecutorError `refused`.
 */
export async function checkSources(
  { client, locality }: { readonly client: Client; readonly locality: Locality },
  step: StepConfig,
  rules: Rules,
): Promise<CheckedSource[]> {
  if (step.volumes.length === 0) return [];
  const paths = await Promise.all(step.volumes.map((volume) => resolveSource(volume, locality)));
  const volumes = step.volumes.map((volume, at) => ({ ...volume, source: paths[at] ?? volume.source }));
  const places = await placesOf(client);
  const follow = (given: readonly string[]) =>
    locality === "elsewhere" ? given : Promise.all(given.map(resolvePlace));
  const followed: Rules = {
    ...rules,
    programs: await follow(rules.programs),
    // Of ours, wherever the daemon is; a share has one path on both machines.
    ioDirectories: [...rules.ioDirectories, ...(await Promise.all(rules.ioDirectories.map(resolvePlace)))],
  };
  refuseAll(checkStep({ ...step, volumes }, followed, await follow(places)));
  if (locality !== "here") return [];
  const table = parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
  return step.volumes.map((volume, at) => {
    const path = paths[at] ?? volume.source;
    requireThat(
      volume.propagation !== "rslave" || findMount(table, path)?.receives !== false,
      `volumes[${volume.index}].propagation`,
      `rslave has no effect, for ${JSON.stringify(volume.source)} is on a private mount`,
      "rprivate; or rslave on a mount that is shared, or a slave itself (mount --make-shared)",
    );
    return { volume, path, place: findPlace(table, path) };
  });
}

/** A step whose sources are the paths that were looked at. */
export function followSources(step: StepConfig, sources: readonly CheckedSource[]): StepConfig {
  if (sources.length === 0) return step;
  return { ...step, volumes: sources.map(({ volume, path }) => ({ ...volume, source: path })) };
}

/**
 * Compares what is mounted in a task with what was looked at: another step may have put a link in the way meanwhile. Nothing of the step runs yet.
 *
 * @throws ExecutorError `refused`.
 */
export async function confirmSources(
  { pid }: { readonly pid: number },
  sources: readonly CheckedSource[],
): Promise<void> {
  if (sources.length === 0) return;
  const table = parseMountTable(await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => ""));
  const found = new Set<number>();
  for (const { volume, place } of sources) {
    const target = await followTarget(pid, table, volume.target);
    const mount = findMount(table, target);
    const mounted = findPlace(table, target);
    const isSame = place !== undefined && mounted?.device === place.device && mounted.path === place.path;
    if (mount !== undefined && isSame && !found.has(mount.id)) {
      found.add(mount.id);
      continue;
    }
    refuse(
      `volumes[${volume.index}].source`,
      `what is mounted from ${JSON.stringify(volume.source)} is not what was checked`,
      "a path that leads to the same directory or file for the daemon as for the executor, and that nobody changes meanwhile",
    );
  }
}

async function resolveSource({ source, index }: HostVolume, locality: Locality): Promise<string> {
  if (locality === "elsewhere") return source;
  return realpath(source).catch((cause: NodeJS.ErrnoException) => {
    if (locality === "beside") return source;
    return refuse(
      `volumes[${index}].source`,
      `it cannot be looked at (${cause.code}): ${JSON.stringify(source)}`,
      "what is there, and the executor may look at, links and all",
    );
  });
}

/** Of what is not there yet, the directory that it will be in. */
async function resolvePlace(path: string): Promise<string> {
  return realpath(path).catch(async () => {
    const directory = dirname(path);
    if (directory === path) return path;
    const parent = await resolvePlace(directory);
    return parent === "/" ? `/${basename(path)}` : `${parent}/${basename(path)}`;
  });
}

/** Where the daemon itself is: its socket, and the directories of images and snapshots that it tells of. Who has them owns its host. */
async function placesOf(client: Client): Promise<string[]> {
  const plugins = await client.introspection.plugins([
    "type==io.containerd.snapshotter.v1",
    "type==io.containerd.content.v1",
  ]);
  const roots = plugins.flatMap(({ exports }) => exports["root"] ?? []);
  return [
    ...(client.isLocal ? [client.address.slice("unix://".length)] : []),
    // Beside such a one are those of all other plugins.
    ...roots.map((root) => (basename(root).startsWith("io.containerd.") ? dirname(root) : root)),
  ];
}

/** As the kernel counts them on one way. */
const MAX_LINKS = 40;

/**
 * Where a target is, behind the links of the image. Only those: in what is mounted, another step may change them at any moment.
 *
 * Followed by hand, for the kernel takes a link that begins with a slash to lead from our root on.
 */
async function followTarget(pid: number, table: readonly TableMount[], target: string): Promise<string> {
  const image = findMount(table, "/")?.id;
  let path = "";
  let links = 0;
  const parts = target.split("/");
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === "" || part === ".") continue;
    const next = part === ".." ? path.slice(0, Math.max(0, path.lastIndexOf("/"))) : `${path}/${part}`;
    const isOfImage = part !== ".." && findMount(table, next)?.id === image;
    const link = isOfImage ? await readlink(`/proc/${pid}/root${next}`).catch(() => undefined) : undefined;
    if (link === undefined || ++links > MAX_LINKS) {
      path = next;
      continue;
    }
    if (link.startsWith("/")) path = "";
    parts.unshift(...link.split("/"));
  }
  return path === "" ? "/" : path;
}
