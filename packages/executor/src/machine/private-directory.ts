import { lstat, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isOwnerGone } from "@wfe-containerd/client/internal";
import { OUTPUT_PREFIX } from "../core/policy/mount-source.js";

/** The file in a private directory that names the process which made the directory. */
const OWNER_FILE = "owner";

/** How long a process may take to make one. */
const MAKING_MS = 60_000;

/** Makes a directory for the output of this process's steps, which only its user can enter. */
export async function makePrivateDirectory(owner: () => Promise<string>): Promise<string> {
  const text = await owner();
  const path = await mkdtemp(join(tmpdir(), OUTPUT_PREFIX));
  await writeFile(join(path, OWNER_FILE), text, { mode: 0o600 });
  return path;
}

/** Removes a private directory, unless a step's output is in it. */
export async function removeIfUnused(path: string): Promise<void> {
  const entries = await readdir(path).catch(() => undefined);
  if (entries === undefined || entries.some((name) => name !== OWNER_FILE)) return;
  await rm(join(path, OWNER_FILE), { force: true });
  // It fails if output came meanwhile. That is removed with its step.
  await rmdir(path).catch(() => undefined);
}

/** A private directory of a process that has ended. */
export interface AbandonedDirectory {
  readonly path: string;
  /** The steps' directories in it, by name. */
  readonly entries: readonly string[];
  readonly reason: string;
}

/** Finds the private directories of processes that have ended. */
export async function findAbandonedDirectories(madeBefore: number): Promise<AbandonedDirectory[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(OUTPUT_PREFIX));
  // One may be removed while we look at it.
  const found = await Promise.all(
    names.map((name) => lookAt(join(tmpdir(), name), madeBefore).catch(() => undefined)),
  );
  return found.filter((directory) => directory !== undefined);
}

async function lookAt(path: string, madeBefore: number): Promise<AbandonedDirectory | undefined> {
  if (!(await isOurs(path))) return undefined;
  const { mtimeMs } = await lstat(path);
  const entries = (await readdir(path)).filter((entry) => entry !== OWNER_FILE);
  const owner = await readFile(join(path, OWNER_FILE), "utf8").catch(() => undefined);
  if (owner !== undefined) {
    const isLeft = mtimeMs <= madeBefore && (await isOwnerGone(owner)) === true;
    return isLeft ? { path, entries, reason: "its process has ended" } : undefined;
  }
  // Its process was killed between the two calls that make it, or is just between them.
  const isLeft = entries.length === 0 && mtimeMs <= Math.min(madeBefore, Date.now() - MAKING_MS);
  return isLeft ? { path, entries, reason: "it is empty, and does not name its process" } : undefined;
}

/** Whether nobody else could have put something into the directory. */
async function isOurs(path: string): Promise<boolean> {
  return lstat(path).then(
    (status) => status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o077) === 0,
    () => false,
  );
}
