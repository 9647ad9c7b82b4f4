import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { formatBytes } from "../table.js";
import { checkRuncVersion } from "./advisories.js";
import { type Finding, fail, ok, warn } from "./finding.js";

/** What the daemon uses of this machine, if it runs here. */
export async function checkRunc(): Promise<Finding> {
  const run = promisify(execFile);
  const found = await run("runc", ["--version"], { timeout: 5000 }).then(
    ({ stdout }) => /^runc version (\S+)/m.exec(stdout)?.[1] ?? "",
    () => undefined,
  );
  return found === undefined
    ? warn(
        "runc",
        "not on this command's PATH",
        "install runc, unless the daemon finds it elsewhere or uses another runtime",
      )
    : checkRuncVersion(found);
}

/** Source: cgroups(7). */
export async function checkCgroups(): Promise<Finding> {
  const controllers = await readFile("/sys/fs/cgroup/cgroup.controllers", "utf8").catch(() => undefined);
  if (controllers === undefined) {
    const mounts = await readFile("/proc/self/mounts", "utf8").catch(() => "");
    if (/ cgroup /.test(mounts))
      return warn(
        "cgroups",
        "version 1",
        "limits work, but newer versions of systemd and runc give it up: boot with systemd.unified_cgroup_hierarchy=1",
      );
    return fail(
      "cgroups",
      "not mounted at /sys/fs/cgroup",
      "mount them: mount -t cgroup2 none /sys/fs/cgroup",
    );
  }
  const missing = ["cpu", "memory", "pids"].filter((name) => !controllers.split(/\s+/).includes(name));
  return missing.length === 0
    ? ok("cgroups", "version 2")
    : warn(
        "cgroups",
        `version 2, without: ${missing.join(", ")}`,
        "limits of these kinds have no effect: delegate the controllers to the daemon's cgroup",
      );
}

const CNI_DIRECTORIES = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];
const CNI_PLUGINS = ["bridge", "host-local"];

/** Only `--network bridge` needs them. */
export async function checkCni(given: readonly string[] | undefined): Promise<Finding> {
  const directories = given ?? CNI_DIRECTORIES;
  const missing: string[] = [];
  for (const plugin of CNI_PLUGINS) {
    const isThere = await Promise.all(directories.map((directory) => isProgram(join(directory, plugin))));
    if (!isThere.includes(true)) missing.push(plugin);
  }
  return missing.length === 0
    ? ok("CNI plugins", CNI_PLUGINS.join(", "))
    : warn(
        "CNI plugins",
        `not in ${directories.join(", ")}: ${missing.join(", ")}`,
        "--network bridge does not work without them: install containernetworking-plugins, or name their directory with --cni-plugins",
      );
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

const MIB = 1024 * 1024;
/** With less, hardly any image can be unpacked. */
const FAIL_BYTES = 100 * MIB;
const WARN_BYTES = 1024 * MIB;
const WARN_SHARE = 0.05;

/** @param what what is kept in the directory: it names the check. */
export async function checkDisk(what: string, path: string): Promise<Finding> {
  const check = `disk (${what})`;
  const found = await statfs(path).catch((cause: unknown) => cause as NodeJS.ErrnoException);
  if (found instanceof Error)
    return warn(check, `${path} cannot be looked at: ${found.code}`, "run as root to see it");
  const free = found.bavail * found.bsize;
  const share = found.blocks === 0 ? 1 : found.bavail / found.blocks;
  const text = `${formatBytes(free)} free (${Math.round(share * 100)} %) at ${path}`;
  const advice = "make room: wfe-containerd gc, prune, volume prune";
  if (free < FAIL_BYTES) return fail(check, text, advice);
  // Some file systems have no fixed number of inodes, and report 0.
  if (found.files > 0 && found.ffree / found.files < WARN_SHARE)
    return warn(check, `${text}; only ${found.ffree} inodes are free`, advice);
  return free < WARN_BYTES && share < WARN_SHARE * 2 ? warn(check, text, advice) : ok(check, text);
}
