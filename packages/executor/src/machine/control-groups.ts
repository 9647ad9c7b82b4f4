import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isStepId } from "../step-id.js";
import { unlessMissing } from "./unless-missing.js";

const ROOT = "/sys/fs/cgroup";

/** The control groups of the steps in a containerd namespace, in all hierarchies, by the step's id. */
export async function findControlGroups(namespace: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  // With version 2 there is one hierarchy at the root. With version 1 there is one in each directory.
  for (const hierarchy of [ROOT, ...(await directoriesIn(ROOT))]) {
    for (const path of await directoriesIn(join(hierarchy, namespace))) {
      const id = path.slice(path.lastIndexOf("/") + 1);
      if (isStepId(id)) found.set(id, [...(found.get(id) ?? []), path]);
    }
  }
  return found;
}

/** Whether a process is in a control group, or in one below it. Also one that we cannot see in /proc. */
export async function hasProcesses(path: string): Promise<boolean> {
  if ((await readFile(join(path, "cgroup.procs"), "utf8").catch(() => "")) !== "") return true;
  for (const inner of await directoriesIn(path)) if (await hasProcesses(inner)) return true;
  return false;
}

/**
 * Removes a control group and the groups below it.
 *
 * @throws `EBUSY` if a process is in one of them.
 */
export async function removeControlGroup(path: string): Promise<void> {
  for (const inner of await directoriesIn(path)) await removeControlGroup(inner);
  await rmdir(path).catch(unlessMissing);
}

async function directoriesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}
