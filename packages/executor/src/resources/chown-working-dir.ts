import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { Client, Mount } from "@wfe-containerd/client";
import { callService } from "@wfe-containerd/client/internal";
import { extract } from "tar-stream";
import type { FollowedStep } from "../core/plan/checked-step.js";
import type { Spec } from "../core/spec/spec.js";
import { isWithin } from "../core/units/path.js";
import type { Machine } from "../machine/machine.js";
import type { HostUser } from "./inject-secrets.js";
import { chownDirectory, hasEmptyDirectory, upperDirectory } from "./local-files.js";
import { mountpointsOf } from "./mountpoints.js";
import { unpackAt } from "./unpack-archive.js";

/**
 * Makes the step's user the owner of the working directory, if the image does not have that directory. The
 * runtime has then made it, owned by root. A directory of the image stays as it is.
 *
 * To find out, we look into the container's own layer: so far it contains only what the runtime made. That
 * works only for snapshots with a layer directory of their own (overlayfs), and only if nothing is mounted on
 * the directory or in it. A link in the image can make it part of a volume, whose owner we must not change.
 * So in a step with volumes, it stays root's if the container's mounts cannot be seen.
 */
export async function chownWorkingDir(
  { leased, machine }: { readonly leased: Client; readonly machine: Machine },
  { pid }: { readonly pid: number },
  { workingDir, readOnly, volumes, namedVolumes, caches, tmpfs }: FollowedStep,
  { process: { cwd }, mounts }: Pick<Spec, "process" | "mounts">,
  rootfs: readonly Mount[],
  { uid, gid }: HostUser,
): Promise<void> {
  if (workingDir === undefined || cwd === "/" || uid === 0) return;
  const shared = [...volumes, ...namedVolumes, ...caches];
  const own = { type: "directory", name: cwd.slice(1), mode: 0o755, uid, gid } as const;
  const isLocal = machine.facts.locality === "local";
  const giveOwner = async (): Promise<void> => {
    if (isLocal && (await chownDirectory(pid, own))) return;
    await unpackAt(leased, `/proc/${pid}/root`, [own]);
  };
  // A tmpfs contains so far only what the runtime made, and belongs to this step alone.
  if (shared.length === 0 && tmpfs.some(({ target }) => cwd !== target && isWithin(cwd, target)))
    return giveOwner();
  const layer = upperDirectory(rootfs);
  if (readOnly || layer === undefined) return;
  const mountpoints = shared.length === 0 ? [] : await mountpointsOf(machine, pid);
  if (mountpoints === undefined) return;
  const taken = [
    ...mounts.map(({ destination }) => destination),
    ...mountpoints.filter((path) => path !== "/"),
  ];
  if (taken.some((path) => isWithin(cwd, path) || isWithin(path, cwd))) return;
  const isEmpty = isLocal ? await hasEmptyDirectory(layer, own.name) : undefined;
  if (isEmpty ?? (await isMade(leased, layer, own.name))) await giveOwner();
}

/**
 * Whether a layer has a directory. containerd has no call to look at one, so the layer is packed as an
 * archive and read.
 */
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
  // Not deleted here: another step's equal layer has the same content, and that step may be reading it now.
  // The first collection after this step's lease has ended removes it.
  const entries = extract();
  // An error while reading also ends the loop below.
  Readable.from(leased.content.read(diff.digest))
    .on("error", (reason) => entries.destroy(reason))
    .pipe(entries);
  let isDirectory = false;
  // Entries below it: a mount whose path goes through a link of the image. The runtime made the mount's
  // target in a directory that the image has.
  let isParent = false;
  for await (const entry of entries) {
    const path = entry.header.name.replace(/\/$/, "");
    isDirectory ||= entry.header.type === "directory" && path === name;
    isParent ||= path.startsWith(`${name}/`);
    entry.resume();
  }
  return isDirectory && !isParent;
}
