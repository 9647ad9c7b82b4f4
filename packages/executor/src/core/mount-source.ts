import { isWithin } from "./path.js";

/**
 * Never a mount's source, nor anything above or below it: with these, a step would own the daemon's host at once. the kernel's
 * own trees, and the state and sockets of container runtimes.
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
];

/** Sockets of container runtimes, wherever they are. */
const FORBIDDEN_NAMES =
  /^(docker|containerd|dockershim|crio|nri|podman|buildkitd|cri-dockerd)[\w.-]*\.(sock|ttrpc)(\.ttrpc)?$/;

/** Where the host's programs, settings and secrets are: a step gets them only from an allow-list that names them. */
const SYSTEM_TREES: readonly string[] = [
  "/bin",
  "/boot",
  "/efi",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/lost+found",
  "/root",
  "/run",
  "/sbin",
  "/usr",
  "/var/backups",
  "/var/lib",
  "/var/log",
  "/var/run",
  "/var/spool",
];

/** Why a source is refused; `isAllowable` when an operator's allow-list could name it. */
export interface MountSourceRefusal {
  readonly reason: string;
  readonly isAllowable: boolean;
}

export interface MountSourceRules {
  /** Directories and files that steps may have, with all that is below them; or `ordinary`: all but the system's own. */
  readonly allowed: readonly string[] | "ordinary";
  /** Further trees that are never given: the socket, root and state of the daemon in use, the executor's own directories. */
  readonly forbidden?: readonly string[] | undefined;
}

/**
 * Whether a path of the daemon's host may be a mount's source; `undefined` when it may.
 *
 * Links are not seen here. Where the host's files can be looked at, ask again with the resolved path; where they cannot, allow only
 * directories in which nobody else makes links.
 */
export function checkMountSource(
  source: string,
  { allowed, forbidden = [] }: MountSourceRules,
): MountSourceRefusal | undefined {
  const path = normalizeAbsolute(source);
  if (path === undefined) return refusal("it is not an absolute path, or holds `.`, `..` or NUL");
  if (path === "/") return refusal("it is the host's whole file system");
  if (path === "/etc") return refusal("it holds the host's accounts and keys");
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (FORBIDDEN_NAMES.test(name)) return refusal("it is a container runtime's socket");

  const touched = [...FORBIDDEN_TREES, ...forbidden].find((tree) => overlaps(path, tree));
  if (touched !== undefined) {
    return refusal(isWithin(path, touched) ? `it is part of ${touched}` : `${touched} is in it`);
  }
  if (allowed !== "ordinary") {
    if (allowed.some((tree) => isWithin(path, normalizeAbsolute(tree) ?? "//"))) return undefined;
    return { reason: "no allowed source holds it", isAllowable: true };
  }

  const system = SYSTEM_TREES.find((tree) => overlaps(path, tree));
  if (system === undefined) return undefined;
  const relation = isWithin(path, system) ? `it is part of ${system}` : `${system} is in it`;
  return { reason: `${relation}, which is the host's own`, isAllowable: true };
}

function refusal(reason: string): MountSourceRefusal {
  return { reason, isAllowable: false };
}

function overlaps(path: string, tree: string): boolean {
  return isWithin(path, tree) || isWithin(tree, path);
}

/** Without doubled and final slashes; `undefined` for what is not absolute and plain. */
function normalizeAbsolute(path: string): string | undefined {
  if (!path.startsWith("/") || path.includes("\0")) return undefined;
  const parts = path.split("/").filter((part) => part !== "");
  return parts.some((part) => part === "." || part === "..") ? undefined : `/${parts.join("/")}`;
}
