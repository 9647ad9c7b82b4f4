import { readFile } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";
import { parseMountTable } from "../core/mount-table.js";

/** Where things are mounted in a container, links resolved; undefined when that cannot be seen from here: its daemon is elsewhere, or we are not root. */
export async function mountpointsOf(client: Client, pid: number): Promise<string[] | undefined> {
  if (!client.isLocal) return undefined;
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseMountTable(text).map(({ target }) => target);
}
