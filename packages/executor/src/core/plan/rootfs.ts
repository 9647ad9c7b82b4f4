import { KERNEL_DIRECTORIES, SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import { type Secret, secretDirectories } from "../step/secret.js";
import type { ArchiveEntry } from "./archive.js";

/**
 * Returns what is written into a step's own layer before the runtime sees the root file system. These are
 * real directories wherever a link of the image could lead the runtime out of the root file system.
 *
 * runc follows a link at `/dev` by its text when it mounts there, but by the kernel's rules afterwards, when
 * it writes to what it finds as `/dev/null`. That may be a file of the daemon's machine. CVE-2026-41579 is
 * one of the ways.
 *
 * The directories of secrets become links to {@link SECRETS_DIRECTORY}.
 */
export function rootfsEntries(secrets: readonly Secret[]): ArchiveEntry[] {
  const directories = secretDirectories(secrets);
  const real = [...KERNEL_DIRECTORIES, ...(directories.length > 0 ? [SECRETS_DIRECTORY] : [])];
  return [
    ...real.map(
      (path): ArchiveEntry => ({ type: "directory", name: path.slice(1), mode: 0o755, uid: 0, gid: 0 }),
    ),
    ...directories
      .filter(({ isInner }) => !isInner)
      .map(
        ({ shownAt, place }): ArchiveEntry => ({ type: "symlink", name: shownAt.slice(1), target: place }),
      ),
  ];
}
