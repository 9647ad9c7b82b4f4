import { execFile } from "node:child_process";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where every shim of the machine has its socket, and its runc its records, whatever state directory its daemon was given. */
const RUNC_STATE = "/run/containerd/runc";
const CGROUPS = "/sys/fs/cgroup";

/**
 * Removes what the tasks of a daemon that has ended leave outside its own directories: the shims' sockets, runc's records, control
 * groups, and processes whose shim was killed before them.
 *
 * @param searchPath PATH on which the daemon's runc is
 */
export async function removeLeftovers(stateDir: string, searchPath: string): Promise<void> {
  const tasks = join(stateDir, "io.containerd.runtime.v2.task");
  for (const namespace of await list(tasks)) {
    const ids = await list(join(tasks, namespace));
    await Promise.all(ids.map((id) => removeTask(join(tasks, namespace, id), namespace, id, searchPath)));
    await removeEmpty(join(RUNC_STATE, namespace));
    // Another daemon's groups may be in it, if that has a namespace of this name too: then it is not empty, and stays.
    for (const hierarchy of [CGROUPS, ...(await list(CGROUPS)).map((name) => join(CGROUPS, name))])
      await removeEmpty(join(hierarchy, namespace));
  }
}

async function removeTask(bundle: string, namespace: string, id: string, searchPath: string): Promise<void> {
  // With --force a container that runc does not know is no error.
  await run("runc", ["--root", join(RUNC_STATE, namespace), "delete", "--force", id], {
    env: { ...process.env, PATH: searchPath },
  });
  // The name of the file depends on containerd's version; in both, what follows unix:// is the path.
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
