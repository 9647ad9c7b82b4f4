import { readdir } from "node:fs/promises";

/** The ids of all processes that this one sees. */
export async function listProcessIds(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}
