import { KERNEL_DIRECTORIES, SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import { type Secret, secretDirectories } from "../step/secret.js";
import type { ArchiveEntry } from "./archive.js";

/**
 * What a step's own layer holds before the runtime sees the root file system: real directories, wherever a link of the image could lead the runtime out
 * of it. runc follows a link at `/dev` by its words when it mounts there and by the kernel's afterwards, and writes to what it then finds as
 * `/dev/null`; that may be a file of the daemon's machine. (CVE-2026-41579 is one of the ways.)
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
