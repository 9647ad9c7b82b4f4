import { readFile, readlink, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Client } from "@wfe-containerd/client";
import type { AllowedStep, FollowedStep } from "../core/plan/checked-step.js";
import type { Locality } from "../core/plan/machine-facts.js";
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
import type { Machine } from "../machine/machine.js";
import { checkStep, type Rules } from "./apply-policy.js";

/** A step after the check of its volumes' sources. */
export interface CheckedSources {
  /** The step with the sources that were checked. */
  readonly step: FollowedStep;
  /** For {@link confirmSources}. Empty unless the daemon's locality is `local`. */
  readonly sources: readonly CheckedSource[];
}

/** The source of a volume, after its check. */
export interface CheckedSource {
  readonly volume: HostVolume;
  /** The source's path, with links resolved. */
  readonly path: string;
  readonly place: Place | undefined;
}

/**
 * Refuses volumes whose sources lead, through links, to paths that the policy does not allow or to the
 * daemon's own files.
 *
 * For a remote daemon, links cannot be followed, and only the path in the step is checked. So allow there
 * only directories in which no other user can make links.
 *
 * @throws ExecutorError `refused`.
 */
export async function checkSources(
  { client, facts: { locality } }: Machine,
  step: AllowedStep,
  rules: Rules,
): Promise<CheckedSources> {
  if (step.volumes.length === 0) return { step: step as FollowedStep, sources: [] };
  const paths = await Promise.all(step.volumes.map((volume) => resolveSource(volume, locality)));
  const volumes = step.volumes.map((volume, at) => ({ ...volume, source: paths[at] ?? volume.source }));
  const places = await placesOf(client);
  const follow = (given: readonly string[]) =>
    locality === "remote" ? given : Promise.all(given.map(resolvePlace));
  const followed: Rules = {
    ...rules,
    programs: await follow(rules.programs),
    // These are paths on our machine, wherever the daemon runs. A share has the same path on both machines.
    ioDirectories: [...rules.ioDirectories, ...(await Promise.all(rules.ioDirectories.map(resolvePlace)))],
  };
  refuseAll(checkStep({ ...step, volumes }, followed, await follow(places)));
  if (locality !== "local") return { step: step as FollowedStep, sources: [] };
  const table = parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
  const sources = step.volumes.map((volume, at) => {
    const path = paths[at] ?? volume.source;
    requireThat(
      volume.propagation !== "rslave" || findMount(table, path)?.receives !== false,
      `volumes[${volume.index}].propagation`,
      `rslave has no effect, because ${JSON.stringify(volume.source)} is on a private mount`,
      "rprivate; or rslave for a source on a shared or slave mount (mount --make-shared makes one)",
    );
    return { volume, path, place: findPlace(table, path) };
  });
  const withPaths: StepConfig = { ...step, volumes };
  return { step: withPaths as FollowedStep, sources };
}

/**
 * Compares the mounts of a created task with the sources that were checked. Another step may have replaced a
 * source by a link since then. None of this step's code runs yet.
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
      `${JSON.stringify(volume.source)} changed between the check and the mount, or the daemon sees other files at this path`,
      "a path that is the same directory or file for the daemon and the executor, and does not change while the step starts",
    );
  }
}

async function resolveSource({ source, index }: HostVolume, locality: Locality): Promise<string> {
  if (locality === "remote") return source;
  return realpath(source).catch((cause: NodeJS.ErrnoException) => {
    if (locality === "containerized") return source;
    const problem = cause.code === "ENOENT" ? "does not exist" : "cannot be read";
    return refuse(
      `volumes[${index}].source`,
      `${JSON.stringify(source)} ${problem} (${cause.code})`,
      "an existing file or directory on the daemon's machine that the executor may read; mkdir -p makes a directory",
    );
  });
}

/** Resolves the links of a path. If the path does not exist yet, those of its parent directory. */
async function resolvePlace(path: string): Promise<string> {
  return realpath(path).catch(async () => {
    const directory = dirname(path);
    if (directory === path) return path;
    const parent = await resolvePlace(directory);
    return parent === "/" ? `/${basename(path)}` : `${parent}/${basename(path)}`;
  });
}

/**
 * The daemon's own paths: its socket, and the directories of its images and snapshots. A step that can change
 * these controls the daemon's machine.
 */
async function placesOf(client: Client): Promise<string[]> {
  const plugins = await client.introspection.plugins([
    "type==io.containerd.snapshotter.v1",
    "type==io.containerd.content.v1",
  ]);
  const roots = plugins.flatMap(({ exports }) => exports["root"] ?? []);
  return [
    ...(client.isLocal ? [client.address.slice("unix://".length)] : []),
    // The parent of such a directory contains those of all other plugins too.
    ...roots.map((root) => (basename(root).startsWith("io.containerd.") ? dirname(root) : root)),
  ];
}

/** The kernel's limit of links in one path. */
const MAX_LINKS = 40;

/**
 * Resolves a volume's target by the links of the image. Links inside other mounts are not followed, because
 * another step may change those at any moment.
 *
 * Done by hand: the kernel would resolve an absolute link from our root, not from the container's.
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
