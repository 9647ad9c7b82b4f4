import { isWithin, normalPath } from "../units/path.js";

/** A line of a process's mount table. */
export interface TableMount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor`. */
  readonly device: string;
  /** What of that device's file system is mounted. */
  readonly root: string;
  readonly target: string;
  /** Whether mounts that are made below it elsewhere appear in it: it is shared, or another's slave. */
  readonly receives: boolean;
}

/** What is at a path, by a name that is the same in every mount namespace. */
export interface Place {
  readonly device: string;
  /** In the device's file system. */
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

/** The mount that holds a path without links: from the root on, whatever is mounted over the way. Undefined for a table without a root. */
export function findMount(table: readonly TableMount[], path: string): TableMount | undefined {
  const ids = new Set(table.map(({ id }) => id));
  let found = table.findLast(
    ({ id, parent, target }) => target === "/" && (parent === id || !ids.has(parent)),
  );
  for (let next = found; next !== undefined; next = nextOn(table, next, path)) found = next;
  return found;
}

/** Of what is mounted in a mount, what the way to a path meets first. */
function nextOn(table: readonly TableMount[], { id }: TableMount, path: string): TableMount | undefined {
  return table
    .filter((mount) => mount.parent === id && mount.id !== id && isWithin(path, mount.target))
    .toSorted((a, b) => a.target.length - b.target.length)[0];
}

/** What is at a path without links. */
export function findPlace(table: readonly TableMount[], path: string): Place | undefined {
  const mount = findMount(table, path);
  if (mount === undefined) return undefined;
  const { device, root, target } = mount;
  const below = target === "/" ? path : path.slice(target.length);
  return { device, path: normalPath(`${root}/${below}`) };
}
