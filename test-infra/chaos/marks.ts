import { chmod, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { TestDaemon } from "../daemon/daemon.js";

/** What a step has left in the directory of the soak. */
export interface Marks {
  /** How often it ran. */
  readonly runs: number;
  /** When it began, for the last time. Undefined if it never ran. */
  readonly ranAtMs: number | undefined;
  /** When it ended. Undefined if it was killed before that. */
  readonly endedAtMs: number | undefined;
}

/** Makes the host directory in which each step leaves its marks. */
export async function makeRanDir({ daemon }: TestDaemon): Promise<string> {
  const ranDir = join(daemon.directory, "ran");
  await mkdir(ranDir);
  // Steps run as nobody.
  await chmod(ranDir, 0o777);
  return ranDir;
}

/** Reads a step's marks, and removes them. */
export async function takeMarks(ranDir: string, name: string): Promise<Marks> {
  const path = join(ranDir, name);
  const text = await readFile(path, "utf8").catch(() => "");
  const ranAtMs = await changedAt(path);
  const endedAtMs = await changedAt(`${path}.ended`);
  for (const each of [path, `${path}.ended`]) await rm(each, { force: true });
  return { runs: text.split("ran\n").length - 1, ranAtMs, endedAtMs };
}

function changedAt(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

export async function removeRanDir(ranDir: string): Promise<void> {
  await rm(ranDir, { recursive: true });
}
