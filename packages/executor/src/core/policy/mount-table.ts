import { isWithin, normalPath } from "../units/path.js";

/** A line of a process's mount table. */
export interface TableMount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor`. */
  readonly device: string;
  /** The part of the device's file system that is mounted. */
  readonly root: string;
  readonly target: string;
  /** Whether mounts made below it in other mount namespaces appear in it too: it is shared, or a slave. */
  readonly receives: boolean;
}

/** A directory or file, named in a way that is the same in every mount namespace. */
export interface Place {
  readonly device: string;
  /** Path in the device's file system. */
  readonly path: string;
}

/** Reads `/proc/<pid>/mountinfo`. Source: proc_pid_mountinfo(5). */
export function parseMountTable(text: string): TableMount[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id, parent, device = "", root = "", target = "", , ...others] = line.split(" ");
      return {
        id: Number(id),
        parent: Number(parent),
        device,
        root: unescapePath(root),
        target: unescapePath(target),
        receives: others.slice(0, others.indexOf("-")).some((field) => /^(?:shared|master):/.test(field)),
      };
    });
}

function unescapePath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/**
 * Finds the mount that a path lies on: starts at the root and follows what is mounted on the way. The path
 * must have no links. Undefined for a table without a root.
 */
export function findMount(table: readonly TableMount[], path: string): TableMount | undefined {
  const ids = new Set(table.map(({ id }) => id));
  let found = table.findLast(
    ({ id, parent, target }) => target === "/" && (parent === id || !ids.has(parent)),
  );
  for (let next = found; next !== undefined; next = nextOn(table, next, path)) found = next;
  return found;
}

/** Of the mounts inside a mount, returns the first one on the way to a path. */
function nextOn(table: readonly TableMount[], { id }: TableMount, path: string): TableMount | undefined {
  return table
    .filter((mount) => mount.parent === id && mount.id !== id && isWithin(path, mount.target))
    .toSorted((a, b) => a.target.length - b.target.length)[0];
}

/** Finds the directory or file at a path. The path must have no links. */
export function findPlace(table: readonly TableMount[], path: string): Place | undefined {
  const mount = findMount(table, path);
  if (mount === undefined) return undefined;
  const { device, root, target } = mount;
  const below = target === "/" ? path : path.slice(target.length);
  return { device, path: normalPath(`${root}/${below}`) };
}
