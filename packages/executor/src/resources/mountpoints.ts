import { readFile } from "node:fs/promises";
import { parseMountTable } from "../core/policy/mount-table.js";
import type { Machine } from "../machine/machine.js";

/**
 * The mount points of a container, with links resolved. Undefined if they cannot be read: the daemon's
 * locality is not `local`, or we are not root.
 */
export async function mountpointsOf({ facts }: Machine, pid: number): Promise<string[] | undefined> {
  if (facts.locality !== "local") return undefined;
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseMountTable(text).map(({ target }) => target);
}
