/** What the root file system of an image has at a path. */
export type RootEntry =
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory" }
  | { readonly kind: "absent" }
  /** A device, a FIFO or a socket. */
  | { readonly kind: "special"; readonly type: string }
  /** What the image has here is hidden in a container. */
  | { readonly kind: "hidden"; readonly path: string };

/** The outcome of a walk: what is at the path, or which paths must be known first. */
export type Walk =
  | { readonly state: "found"; readonly entry: RootEntry }
  | { readonly state: "unknown"; readonly paths: readonly string[] }
  | { readonly state: "too-many-links" };

/** The kernel's own limit (path_resolution(7)). */
export const MAX_LINKS = 40;

/**
 * Follows a path through a root file system as the kernel does for a process in it: link by link, `..` from where a link really led to, and never above
 * the root. Where something on the way is not known yet, the walk goes on as if it were a directory, so that one answer names all that may be needed.
 *
 * @param known by path from the root, without a slash before it: `etc/passwd`. An entry may be there only if every directory above it is.
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
    const here = [...directory, name];
    const entry = known.get(here.join("/"));
    if (entry === undefined) unknown.push(here.join("/"));
    if (entry === undefined || entry.kind === "directory") {
      directory = here;
      continue;
    }
    if (entry.kind === "link") {
      // What is not known may itself be a link, that leads elsewhere.
      if (++links > MAX_LINKS && unknown.length > 0) break;
      if (links > MAX_LINKS) return { state: "too-many-links" };
      if (entry.target.startsWith("/")) directory = [];
      ahead.push(...entry.target.split("/").toReversed());
      continue;
    }
    if (unknown.length > 0) break;
    if (entry.kind === "hidden") return { state: "found", entry };
    // Below a file there is nothing (ENOTDIR), not even its own directory by "..".
    return { state: "found", entry: ahead.length === 0 ? entry : { kind: "absent" } };
  }
  if (unknown.length > 0) return { state: "unknown", paths: unknown };
  return { state: "found", entry: { kind: "directory" } };
}
