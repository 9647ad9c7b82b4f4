import { lstat, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isOwnerGone } from "@wfe-containerd/client/internal";
import { OUTPUT_PREFIX } from "../core/policy/mount-source.js";

/** The file in a private directory that names the process which made the directory. */
const OWNER_FILE = "owner";

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

/** Removes the private directories of dead processes. Those with output of a step stay. */
export async function removeOrphanedDirectories(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const path = join(tmpdir(), name);
    if (!name.startsWith(OUTPUT_PREFIX) || !(await isOurs(path))) continue;
    const owner = await readFile(join(path, OWNER_FILE), "utf8").catch(() => undefined);
    if (owner !== undefined && (await isOwnerGone(owner)) === true) await removeIfUnused(path);
  }
}

/** Whether nobody else could have put something into the directory. */
async function isOurs(path: string): Promise<boolean> {
  return lstat(path).then(
    (status) => status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o077) === 0,
    () => false,
  );
}
