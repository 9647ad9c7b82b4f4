import { KERNEL_DIRECTORIES } from "../policy/reserved-paths.js";
import { isWithin } from "../units/path.js";
import { isKernelAtLeast } from "./kernel.js";
import type { Mount } from "./spec.js";

/** A directory or file of the daemon's machine, or a tmpfs, to mount in the container. */
export type StepMount = BindMount | TmpfsMount;

export interface BindMount {
  readonly type: "bind";
  /** Path on the daemon's machine. */
  readonly source: string;
  readonly target: string;
  readonly readonly?: boolean | undefined;
  /**
   * Whether mounts made on one side appear on the other. `rprivate` (default): never. `rslave`: from the host
   * to the step.
   */
  readonly propagation?: "rprivate" | "rslave" | undefined;
  /** Programs in it cannot be run. Default `false`, as in docker. */
  readonly noexec?: boolean | undefined;
}

export interface TmpfsMount {
  readonly type: "tmpfs";
  readonly target: string;
  /** Default: the kernel's, half of the memory. The contents count towards the step's memory limit. */
  readonly sizeBytes?: number | undefined;
  /** Permission bits. Default 0o1777. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly readonly?: boolean | undefined;
  /** Default `true`, as in docker. */
  readonly noexec?: boolean | undefined;
}

export interface MountOptions {
  readonly mounts?: readonly StepMount[] | undefined;
  /** Mounted before `mounts`, on files and directories of the image itself. */
  readonly bottomMounts?: readonly StepMount[] | undefined;
  /** Mounted after `mounts`, so that none of `mounts` covers these, even through a link. */
  readonly topMounts?: readonly StepMount[] | undefined;
  /** Size of `/dev/shm`. Default 64 MiB, as in docker. */
  readonly shmSizeBytes?: number | undefined;
  /** Makes `/sys` and the cgroups writable. */
  readonly privileged?: boolean | undefined;
  /** Kernel release of the daemon's machine: `6.1.0-13-amd64`. */
  readonly kernelVersion?: string | undefined;
}

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/**
 * Returns all mounts of a container, in order. `bottomMounts`, `mounts` and `topMounts` come first, then the
 * kernel's file systems as docker mounts them, then the step's mounts inside of those. A mount comes after
 * the one that contains its target. A step's mount replaces a kernel mount with the same target.
 *
 * The runtime follows links of the image, and of earlier mounts, to each target. If a link leads one of the
 * step's mounts to `/dev`, `/proc` or `/sys`, the real file system covers it.
 *
 * The cgroup file system is read-only unless privileged. Seen through a cgroup namespace, it shows nothing
 * above the step's own group.
 */
export function createMounts(options: MountOptions = {}): Mount[] {
  const toMounts = (mount: StepMount): Mount[] =>
    mount.type === "bind" ? [createBind(mount, options.kernelVersion)] : createTmpfs(mount);
  const own = byDepth((options.mounts ?? []).flatMap(toMounts));
  const isReplaced = ({ destination }: Mount): boolean =>
    own.some((mount) => mount.destination === destination);
  const kernel = createKernelMounts(options).filter((mount) => !isReplaced(mount));
  const isInKernels = ({ destination }: Mount): boolean =>
    KERNEL_DIRECTORIES.some((directory) => isWithin(destination, directory));
  return [
    ...(options.bottomMounts ?? []).flatMap(toMounts),
    ...own.filter((mount) => !isInKernels(mount)),
    ...(options.topMounts ?? []).flatMap(toMounts),
    ...kernel,
    ...own.filter(isInKernels),
  ];
}

function createKernelMounts({ shmSizeBytes = DEFAULT_SHM_BYTES, privileged = false }: MountOptions): Mount[] {
  const access = privileged ? "rw" : "ro";
  const safe = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: safe },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...safe, "mode=1777", `size=${shmSizeBytes}`],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: safe },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...safe, access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...safe, "relatime", access],
    },
  ];
}

function createBind(mount: BindMount, kernelVersion: string | undefined): Mount {
  const { source, target, readonly = false, propagation = "rprivate", noexec = false } = mount;
  return {
    destination: target,
    type: "bind",
    source,
    options: [
      ...(readonly ? readonlyBind(kernelVersion) : ["rbind", "rw"]),
      "nosuid",
      "nodev",
      ...(noexec ? ["noexec"] : []),
      propagation,
    ],
  };
}

/**
 * `ro` applies to the mount itself, not to mounts below its source. From Linux 5.12 on, `rro` makes all of
 * them read-only. On an older or unknown kernel, the mounts below are left out instead.
 */
function readonlyBind(kernelVersion: string | undefined): string[] {
  return isKernelAtLeast(kernelVersion, 5, 12) ? ["rbind", "ro", "rro"] : ["bind", "ro"];
}

/**
 * runc before 1.1.8 gives a tmpfs the mode of the directory at its target, and ignores the mode in the
 * mount's own options. So an empty, read-only ramfs with the right mode is mounted there first; runc leaves
 * its mode alone. Source: runc 1.1.5, libcontainer/rootfs_linux.go, mountToRootfs.
 */
function createTmpfs(mount: TmpfsMount): Mount[] {
  const { target, sizeBytes, mode = 0o1777, uid, gid, readonly = false, noexec = true } = mount;
  const modeOption = `mode=${mode.toString(8)}`;
  return [
    {
      destination: target,
      type: "ramfs",
      // Busybox's df shows this name beside the figures of the tmpfs.
      source: "tmpfs",
      options: ["nosuid", "nodev", "noexec", "ro", modeOption],
    },
    {
      destination: target,
      type: "tmpfs",
      source: "tmpfs",
      options: [
        "nosuid",
        "nodev",
        ...(noexec ? ["noexec"] : []),
        ...(readonly ? ["ro"] : []),
        modeOption,
        ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
        ...(uid === undefined ? [] : [`uid=${uid}`]),
        ...(gid === undefined ? [] : [`gid=${gid}`]),
      ],
    },
  ];
}

/**
 * Puts each mount after the one that contains its target. The sort is stable, so siblings stay in the given
 * order.
 */
function byDepth(mounts: readonly Mount[]): Mount[] {
  const depth = ({ destination }: Mount): number =>
    destination.split("/").filter((part) => part !== "").length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}
