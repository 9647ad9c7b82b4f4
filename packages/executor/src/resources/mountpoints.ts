import { readFile } from "node:fs/promises";
import type { Locality } from "../core/plan/daemon.js";
import { parseMountTable } from "../core/policy/mount-table.js";

/**
 * The mount points of a container, with links resolved. Undefined if they cannot be read: the daemon's
 * locality is not `here`, or we are not root.
 */
export async function mountpointsOf(locality: Locality, pid: number): Promise<string[] | undefined> {
  if (locality !== "here") return undefined;
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseMountTable(text).map(({ target }) => target);
}
