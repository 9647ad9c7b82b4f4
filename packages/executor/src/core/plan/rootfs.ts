import { SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import { type Secret, secretDirectories } from "../step/secret.js";
import type { ArchiveEntry } from "./archive.js";

/**
 * Returns what secrets need in a step's own layer before the runtime sees the root file system: a real
 * directory, and links to it in place of the secrets' own directories.
 *
 * @param hasRoom whether the steps of a session may have secrets, too.
 */
export function secretPlaces(secrets: readonly Pick<Secret, "target">[], hasRoom: boolean): ArchiveEntry[] {
  const directories = secretDirectories(secrets);
  if (directories.length === 0 && !hasRoom) return [];
  return [
    { type: "directory", name: SECRETS_DIRECTORY.slice(1), mode: 0o755, uid: 0, gid: 0 },
    ...directories
      .filter(({ isInner }) => !isInner)
      .map(
        ({ shownAt, place }): ArchiveEntry => ({ type: "symlink", name: shownAt.slice(1), target: place }),
      ),
  ];
}
