import { isWithin } from "../units/path.js";

/**
 * Never a mount's source, and neither is anything above or below them. With these, a step would own the
 * daemon's machine at once. They are the kernel's own trees, the state and sockets of container runtimes, and
 * the programs that those run as root.
 */
const FORBIDDEN_TREES: readonly string[] = [
  "/proc",
  "/sys",
  "/dev",
  "/run/containerd",
  "/var/run/containerd",
  "/var/lib/containerd",
  "/run/docker",
  "/var/run/docker",
  "/var/lib/docker",
  "/run/crio",
  "/var/run/crio",
  "/run/podman",
  "/var/run/podman",
  "/run/buildkit",
  "/var/run/buildkit",
  "/run/nri",
  "/var/run/nri",
  "/run/k3s",
  "/var/lib/kubelet",
  "/run/runc",
  "/run/crun",
  "/opt/cni",
  "/opt/containerd",
  "/opt/nri",
];

/**
 * Where executors make directories for the output of steps by default. Directories in these may be mounted;
 * these themselves may not.
 */
const TEMPORARY_DIRECTORIES: readonly string[] = ["/tmp", "/var/tmp"];
/** The names of those directories begin like this. */
export const OUTPUT_PREFIX = "wfe-containerd-";

/** Sockets of container runtimes, in any directory. */
const FORBIDDEN_NAMES =
  /^(docker|containerd|dockershim|crio|nri|podman|buildkitd|cri-dockerd)[\w.-]*\.(sock|ttrpc)(\.ttrpc)?$/;

/**
 * Where the Filesystem Hierarchy Standard and custom place the data of services, and disks. Programs of the
 * host and home directories are elsewhere.
 */
const ORDINARY_TREES: readonly string[] = ["/data", "/media", "/mnt", "/srv"];

/**
 * Why a source is refused, in words that follow its path. With `isAllowable`, an operator's allow-list could
 * name it.
 */
export interface MountSourceRefusal {
  readonly reason: string;
  readonly isAllowable: boolean;
}

export interface MountSourceRules {
  /**
   * Directories and files that steps may mount, with everything below them. `ordinary`:
   * {@link ORDINARY_TREES}.
   */
  readonly allowed: readonly string[] | "ordinary";
  /**
   * Further trees that are never mounted: the socket, root and state of the daemon in use, and the executor's
   * own directories.
   */
  readonly forbidden?: readonly string[] | undefined;
}

/**
 * Checks whether a path of the daemon's machine may be a mount's source; `undefined` if it may.
 *
 * Links are not followed here. If the machine's files can be read, ask again with the resolved path. If they
 * cannot, allow only directories in which nobody else makes links.
 */
export function checkMountSource(
  source: string,
  { allowed, forbidden = [] }: MountSourceRules,
): MountSourceRefusal | undefined {
  const path = normalizeAbsolute(source);
  if (path === undefined) return refusal("is not an absolute path, or contains `.`, `..` or NUL");
  if (path === "/") return refusal("is the whole file system of the daemon's machine");
  if (path === "/etc") return refusal("contains the accounts and keys of the daemon's machine");
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (FORBIDDEN_NAMES.test(name)) return refusal("is the socket of a container runtime");

  const isOutput = path.split("/").some((part) => part.startsWith(OUTPUT_PREFIX));
  if (isOutput || TEMPORARY_DIRECTORIES.includes(path)) return refusal("contains the output of steps");

  const touched = [...FORBIDDEN_TREES, ...forbidden].find((tree) => overlaps(path, tree));
  if (touched !== undefined) {
    return refusal(isWithin(path, touched) ? `is part of ${touched}` : `contains ${touched}`);
  }
  const trees = allowed === "ordinary" ? ORDINARY_TREES : allowed;
  if (trees.some((tree) => isWithin(path, normalizeAbsolute(tree) ?? "//"))) return undefined;
  return {
    reason: allowed === "ordinary" ? `is not in ${trees.join(", ")}` : "is not in an allowed source",
    isAllowable: true,
  };
}

function refusal(reason: string): MountSourceRefusal {
  return { reason, isAllowable: false };
}

function overlaps(path: string, tree: string): boolean {
  return isWithin(path, tree) || isWithin(tree, path);
}

/** Removes doubled and final slashes; `undefined` for a path that is not absolute or has `.`, `..` or NUL. */
function normalizeAbsolute(path: string): string | undefined {
  if (!path.startsWith("/") || path.includes("\0")) return undefined;
  const parts = path.split("/").filter((part) => part !== "");
  return parts.some((part) => part === "." || part === "..") ? undefined : `/${parts.join("/")}`;
}
