import { SCRIPT_DIRECTORY, SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import { requireThat } from "../refuse.js";
import { NAME_FORMAT, VOLUME_NAME } from "../step/filesystem.js";
import type { ArchiveEntry } from "./archive.js";

/** Labels of the containerd snapshots that contain the file systems of sessions. */
export const SNAPSHOT_LABELS = {
  /** Name of the snapshot. */
  name: "wfe-containerd/snapshot",
  /** Name of the image that the session was made of. */
  image: "wfe-containerd/snapshot-image",
  /** The digest of the index or manifest that the image's name meant. */
  digest: "wfe-containerd/snapshot-image-digest",
  /** Whether it has files for `/etc/hosts` and its like to be mounted on: see `BaseLayer`. */
  nameFiles: "wfe-containerd/snapshot-name-files",
  /**
   * The digest of the image's config. With this key it also keeps the config if the image is removed. Source:
   * containerd's metadata/gc.go.
   */
  config: "containerd.io/gc.ref.content.wfe-containerd-config",
} as const;

/** @throws ExecutorError `refused` for a name that a volume could not have either. */
export function checkSnapshotName(field: string, name: unknown): asserts name is string {
  requireThat(
    typeof name === "string" && VOLUME_NAME.test(name),
    field,
    `${JSON.stringify(name) ?? "undefined"} is not the name of a snapshot`,
    `${NAME_FORMAT}; example: warm-cache`,
  );
}

interface MountOptions {
  readonly options: readonly string[];
}

/**
 * Returns the mounts of a running container's snapshot for a second mount beside it, from which is only read.
 *
 * The kernel lets two overlays write to one upper directory, but then files of the container may be lost. The
 * second mount also empties the work directory of the first. So here the upper directory is the topmost of
 * the lower ones. containerd does the same from 1.7 on (`WithReadonlyTempMount`).
 */
export function besideContainer<M extends MountOptions>(mounts: readonly M[]): M[] {
  return mounts.map((mount) => {
    const find = (name: string): string | undefined =>
      mount.options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
    const upper = find("upperdir");
    if (upper === undefined) return mount;
    const kept = mount.options.filter(
      (option) => !/^(?:upperdir|workdir|lowerdir)=/.test(option) && option !== "volatile" && option !== "rw",
    );
    return { ...mount, options: [...kept, `lowerdir=${upper}:${find("lowerdir")}`, "ro"] };
  });
}

/**
 * Returns entries that remove from a snapshot what is only of its session: scripts, the program that waits,
 * and the places of secrets. Source of the names: OCI image-spec, layer.md, "Whiteouts".
 *
 * @param rootfs what was written into the session's own layer.
 */
export function whiteouts(rootfs: readonly ArchiveEntry[]): ArchiveEntry[] {
  const links = rootfs.flatMap(({ type, name }) => (type === "symlink" ? [name] : []));
  const own = [SCRIPT_DIRECTORY, SECRETS_DIRECTORY].map((path) => path.slice(1));
  return [...new Set([...own, ...links])].map((name) => {
    const at = name.lastIndexOf("/") + 1;
    return {
      type: "file",
      name: `${name.slice(0, at)}.wh.${name.slice(at)}`,
      contents: new Uint8Array(),
      mode: 0,
      uid: 0,
      gid: 0,
    };
  });
}
