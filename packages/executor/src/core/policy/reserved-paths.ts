import { isWithin } from "../units/path.js";

/** Where the runtime mounts the kernel's file systems in every container. */
export const KERNEL_DIRECTORIES: readonly string[] = ["/dev", "/proc", "/sys"];

/**
 * The file system in memory that holds a step's secrets. Nothing that a step shares with others can be above it, so nobody can put a link in the way
 * to it while they are written: a step that has the same volume could, in a directory that is in that.
 */
export const SECRETS_DIRECTORY = "/.wfe-secrets";

/** The directory of a script that is a file in the container. Not in `/run` or `/tmp`: a step may have a volume or a tmpfs there. */
export const SCRIPT_DIRECTORY = "/.wfe-script";

/** Where a step may mount nothing. */
export const RESERVED_DIRECTORIES: readonly string[] = [
  ...KERNEL_DIRECTORIES,
  SECRETS_DIRECTORY,
  SCRIPT_DIRECTORY,
];

/** Whether a path is, or is in, one of them. */
export function isReservedTarget(path: string): boolean {
  return RESERVED_DIRECTORIES.some((reserved) => isWithin(path, reserved));
}
