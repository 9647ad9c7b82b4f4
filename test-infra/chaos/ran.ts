import { chmod, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestDaemon } from "../daemon/daemon.js";
import type { NumberedStep } from "./numbered-step.js";
import type { SoakFaults } from "./tally.js";

/** Makes the host directory in which each step leaves a line. */
export async function makeRanDir({ daemon }: TestDaemon): Promise<string> {
  const ranDir = join(daemon.directory, "ran");
  await mkdir(ranDir);
  // Steps run as nobody.
  await chmod(ranDir, 0o777);
  return ranDir;
}

/**
 * Counts how often each step ran, and removes the directory.
 *
 * @param interrupted steps that may have run, but of which nobody has a result.
 */
export async function countRuns(
  ranDir: string,
  steps: readonly NumberedStep[],
  { ranTwice, neverRan, forgotten, unknown }: SoakFaults,
  interrupted: ReadonlySet<string> = new Set(),
): Promise<void> {
  const unsure = new Set(unknown.splice(0));
  const ran = new Set(await readdir(ranDir));
  for (const [number, { name }] of steps.entries()) {
    if (unsure.has(name)) (ran.has(String(number)) ? forgotten : unknown).push(name);
    else if (!ran.has(String(number)) && !interrupted.has(name)) neverRan.push(name);
    if (!ran.has(String(number))) continue;
    if ((await readFile(join(ranDir, String(number)), "utf8")) !== "ran\n") ranTwice.push(name);
  }
  await rm(ranDir, { recursive: true });
}
