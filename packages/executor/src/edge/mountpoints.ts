import { readFile } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";

/** Where things are mounted in a container, links resolved; undefined when that cannot be seen from here: its daemon is elsewhere, or we are not root. */
export async function mountpointsOf(client: Client, pid: number): Promise<string[] | undefined> {
  if (!client.isLocal) return undefined;
  const text = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => undefined);
  return text?.trimEnd().split("\n").map(toMountpoint);
}

/** Of a line as proc(5) has it: space, tab, newline and backslash are octal numbers in it. */
function toMountpoint(line: string): string {
  const [, , , , path = ""] = line.split(" ");
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
