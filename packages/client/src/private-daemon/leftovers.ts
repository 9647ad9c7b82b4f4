import { type ExecFileException, execFile } from "node:child_process";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** runc's records of all shims on the machine. The path does not depend on the daemon's state directory. */
const RUNC_STATE = "/run/containerd/runc";
const CGROUPS = "/sys/fs/cgroup";
/**
 * runc waits 10 seconds for the end of a process that it has killed, and a third of a second for the end of
 * the last one in a cgroup. A process that waits for a busy disk takes longer.
 */
const REMOVE_MS = 60_000;
const AGAIN_MS = 100;

/**
 * Removes what the tasks of an ended daemon leave outside its directories: the shims' sockets, runc's
 * records, cgroups, and processes whose shim was killed first.
 *
 * @param searchPath the PATH on which the daemon's runc is found.
 */
export async function removeLeftovers(stateDir: string, searchPath: string): Promise<void> {
  const tasks = join(stateDir, "io.containerd.runtime.v2.task");
  for (const namespace of await list(tasks)) {
    const ids = await list(join(tasks, namespace));
    await Promise.all(ids.map((id) => removeTask(join(tasks, namespace, id), namespace, id, searchPath)));
    await removeEmpty(join(RUNC_STATE, namespace));
    // Another daemon may have a namespace with the same name. Its cgroups are then in this directory, which
    // is not empty and stays.
    for (const hierarchy of [CGROUPS, ...(await list(CGROUPS)).map((name) => join(CGROUPS, name))])
      await removeEmpty(join(hierarchy, namespace));
  }
}

async function removeTask(bundle: string, namespace: string, id: string, searchPath: string): Promise<void> {
  // With --force an unknown container is not an error.
  const args = ["--root", join(RUNC_STATE, namespace), "delete", "--force", id];
  const giveUpAt = performance.now() + REMOVE_MS;
  for (;;) {
    const failure = await run("runc", args, { env: { ...process.env, PATH: searchPath } }).then(
      () => undefined,
      (reason: ExecFileException) => reason,
    );
    if (failure === undefined) break;
    const hasRun = typeof failure.code === "number";
    if (!hasRun || performance.now() > giveUpAt) throw failure;
    await delay(AGAIN_MS);
  }
  // The file's name depends on containerd's version. In both files the path follows `unix://`.
  for (const name of ["address", "bootstrap.json"]) {
    const text = await readFile(join(bundle, name), "utf8").catch(() => "");
    const socket = /unix:\/\/(\/run\/containerd\/s\/[0-9a-f]+)/.exec(text)?.[1];
    if (socket !== undefined) await rm(socket, { force: true });
  }
}

async function list(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function removeEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => undefined);
}
