import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { type Client, callService, type Mount } from "@wfe-containerd/client";
import { extract } from "tar-stream";
import type { Locality } from "../core/plan/daemon.js";
import type { Spec } from "../core/spec/spec.js";
import type { StepConfig } from "../core/step/step.js";
import { isWithin } from "../core/units/path.js";
import type { HostUser } from "./inject-secrets.js";
import { mountpointsOf } from "./mountpoints.js";
import { unpackAt } from "./unpack-archive.js";

/**
 * Gives the step's user the working directory that the step names, if the image does not have it: the runtime then made it, as root's. One that the
 * image has stays as it is.
 *
 * Which of the two it was is seen in the container's own layer, in which there is as yet nothing but what the runtime made. So it is only known
 * for snapshots that have such a layer by itself (overlayfs), and when nothing is mounted on the directory or in it. A volume may be, by a link of the image,
 * and its owner is not ours to change: where the container's mounts cannot be seen, the directory stays root's in a step that has volumes.
 */
export async function chownWorkingDir(
  { leased, locality }: { readonly leased: Client; readonly locality: Locality },
  { pid }: { readonly pid: number },
  { workingDir, readOnly, volumes, namedVolumes, caches, tmpfs }: StepConfig,
  { process: { cwd }, mounts }: Pick<Spec, "process" | "mounts">,
  rootfs: readonly Mount[],
  { uid, gid }: HostUser,
): Promise<void> {
  if (workingDir === undefined || cwd === "/" || uid === 0) return;
  const shared = [...volumes, ...namedVolumes, ...caches];
  const own = { type: "directory", name: cwd.slice(1), mode: 0o755, uid, gid } as const;
  // In a file system in memory there is nothing yet but what the runtime made, and nobody else is there.
  if (shared.length === 0 && tmpfs.some(({ target }) => cwd !== target && isWithin(cwd, target)))
    return unpackAt(leased, `/proc/${pid}/root`, [own]);
  const layer = upperDirectory(rootfs);
  if (readOnly || layer === undefined) return;
  const mountpoints = shared.length === 0 ? [] : await mountpointsOf(locality, pid);
  if (mountpoints === undefined) return;
  const taken = [
    ...mounts.map(({ destination }) => destination),
    ...mountpoints.filter((path) => path !== "/"),
  ];
  if (taken.some((path) => isWithin(cwd, path) || isWithin(path, cwd))) return;
  if (await isMade(leased, layer, own.name)) await unpackAt(leased, `/proc/${pid}/root`, [own]);
}

function upperDirectory(rootfs: readonly Mount[]): string | undefined {
  const [mount] = rootfs;
  if (rootfs.length !== 1 || mount?.type !== "overlay") return undefined;
  return mount.options.find((option) => option.startsWith("upperdir="))?.slice("upperdir=".length);
}

/** Whether a layer has a directory: asked by having it packed, for containerd has no call that looks at one. */
async function isMade(leased: Client, layer: string, name: string): Promise<boolean> {
  const { diff } = await callService(`look for /${name}`, () =>
    leased.services.diff.diff({
      left: [],
      right: [{ type: "bind", source: layer, target: "", options: ["ro", "rbind"] }],
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      ref: `layer-${randomUUID()}`,
    }),
  );
  if (diff === undefined) return false;
  // It stays until the step's lease goes, and the next collection comes: another step that made the same has the same content, and may read it now.
  const entries = extract();
  // What breaks the reading off, breaks off the loop below.
  Readable.from(leased.content.read(diff.digest))
    .on("error", (reason) => entries.destroy(reason))
    .pipe(entries);
  let isThere = false;
  // A mount that comes in by a link of the image: the runtime made its target in a directory that was there.
  let isParent = false;
  for await (const entry of entries) {
    const path = entry.header.name.replace(/\/$/, "");
    isThere ||= entry.header.type === "directory" && path === name;
    isParent ||= path.startsWith(`${name}/`);
    entry.resume();
  }
  return isThere && !isParent;
}
