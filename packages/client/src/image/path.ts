/** The entry at a path in an image's root file system. */
export type RootEntry =
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory" }
  | { readonly kind: "absent" }
  /** A device, a FIFO or a socket. */
  | { readonly kind: "special"; readonly type: string }
  /** The container has something else mounted at this path. */
  | { readonly kind: "hidden"; readonly path: string };

/** The result of a walk: the entry at the path, or the paths that must be looked up first. */
export type Walk =
  | { readonly state: "found"; readonly entry: RootEntry }
  | { readonly state: "unknown"; readonly paths: readonly string[] }
  | { readonly state: "too-many-links" };

/** The kernel's limit (path_resolution(7)). */
export const MAX_LINKS = 40;

/**
 * Follows a path through a root file system as the kernel does for a process in it. Links are followed one by
 * one, `..` starts from a link's real target, and no path leads above the root. If an entry is unknown, the
 * walk goes on as if it were a directory. So one result names all paths that may be needed.
 *
 * @param known entries by path from the root, without a leading slash: `etc/passwd`. Add an entry only if
 * every directory above it is known to be a directory.
 */
export function walkPath(path: string, known: ReadonlyMap<string, RootEntry>): Walk {
  const ahead = path.split("/").toReversed();
  let directory: string[] = [];
  const unknown: string[] = [];
  for (let links = 0; ahead.length > 0; ) {
    const name = ahead.pop() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      directory.pop();
      continue;
    }
    const parts = [...directory, name];
    const entry = known.get(parts.join("/"));
    if (entry === undefined) unknown.push(parts.join("/"));
    if (entry === undefined || entry.kind === "directory") {
      directory = parts;
      continue;
    }
    if (entry.kind === "link") {
      // An unknown entry may itself be a link that leads elsewhere.
      if (++links > MAX_LINKS && unknown.length > 0) break;
      if (links > MAX_LINKS) return { state: "too-many-links" };
      if (entry.target.startsWith("/")) directory = [];
      ahead.push(...entry.target.split("/").toReversed());
      continue;
    }
    if (unknown.length > 0) break;
    if (entry.kind === "hidden") return { state: "found", entry };
    // A file has no entries below it (ENOTDIR). Even ".." does not work there.
    return { state: "found", entry: ahead.length === 0 ? entry : { kind: "absent" } };
  }
  if (unknown.length > 0) return { state: "unknown", paths: unknown };
  return { state: "found", entry: { kind: "directory" } };
}
