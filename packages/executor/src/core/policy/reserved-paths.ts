import { isWithin } from "../units/path.js";

/** Where the runtime mounts the kernel's file systems in every container. */
export const KERNEL_DIRECTORIES: readonly string[] = ["/dev", "/proc", "/sys"];

/**
 * The file system in memory that contains a step's secrets. No directory that a step shares with others can
 * be above it. Inside a shared volume, another step could put a link in the way while the secrets are
 * written.
 */
export const SECRETS_DIRECTORY = "/.wfe-secrets";

/**
 * The directory of a script that is run from a file. It is not in `/run` or `/tmp`, because a step may mount
 * a volume or a tmpfs there.
 */
export const SCRIPT_DIRECTORY = "/.wfe-script";

/** A step may mount nothing on or below these. */
export const RESERVED_DIRECTORIES: readonly string[] = [
  ...KERNEL_DIRECTORIES,
  SECRETS_DIRECTORY,
  SCRIPT_DIRECTORY,
];

/** Tells whether a path is one of {@link RESERVED_DIRECTORIES} or lies in one of them. */
export function isReservedTarget(path: string): boolean {
  return RESERVED_DIRECTORIES.some((reserved) => isWithin(path, reserved));
}
