import { readFile } from "node:fs/promises";
import type { Locality } from "../core/plan/daemon.js";
import { parseMountTable } from "../core/policy/mount-table.js";

/** Where things are mounted in a container, links resolved; undefined when that cannot be seen from here: its daemon is elsewhere, or we are not root. */
export async function mountpointsOf(locality: Locality, pid: number): Promise<string[] | undefined> {
  if (locality !== "here") return undefined;
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseMountTable(text).map(({ target }) => target);
}
