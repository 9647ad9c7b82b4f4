import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { arch, release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { CAPABILITIES } from "../src/core/spec/capability-names.js";
import { createSpec, type SpecHost, type SpecInput } from "../src/core/spec/create-spec.js";
import type { StepMount } from "../src/core/spec/mounts.js";

/** This machine, in the form that describes a daemon's machine. */
export const HOST: SpecHost & { readonly cgroupVersion: 1 | 2 } = {
  platform: { os: "linux", architecture: arch() === "x64" ? "amd64" : arch() },
  kernelVersion: release(),
  cgroupVersion: existsSync("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1,
  capabilities: CAPABILITIES.filter((_, bit) => (heldCapabilities() >> BigInt(bit)) & 1n),
  inUserNamespace: !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8")),
  maximumOpenFiles: Number(
    /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1],
  ),
};

/** Our capabilities as a bit mask. Containers cannot get more. */
export function heldCapabilities(): bigint {
  const [, mask = "0"] = /^CapBnd:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return BigInt(`0x${mask}`);
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A root file system with only busybox. runc runs specs in it directly, without a daemon or a shim. */
export interface Bundle extends AsyncDisposable {
  readonly rootfs: string;
  /** Runs a shell script, or `args`. The user is root unless the input names another. */
  run(script: string, input?: Partial<SpecInput>): Promise<Outcome>;
}

export async function createBundle(): Promise<Bundle> {
  const directory = await mkdtemp(join(tmpdir(), "wfe-bundle-"));
  const namespace = basename(directory);
  // In a user namespace, root counts as nobody for this directory, and must still get in.
  await chmod(directory, 0o755);
  const rootfs = join(directory, "rootfs");
  for (const path of ["bin", "etc", "usr", "tmp", "root", "work"])
    await mkdir(join(rootfs, path), { recursive: true });
  await chmod(join(rootfs, "tmp"), 0o1777);
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  assert(busybox, "busybox-static is needed: apt-get install busybox-static");
  await copyFile(busybox, join(rootfs, "bin/busybox"));
  const { stdout: applets } = await execute(busybox, ["--list"]);
  for (const applet of applets.trim().split("\n")) {
    if (applet !== "busybox") await symlink("busybox", join(rootfs, "bin", applet));
  }
  await writeFile(
    join(rootfs, "etc/passwd"),
    "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
  );
  await writeFile(join(rootfs, "etc/group"), "root:x:0:\nuser:x:1000:\n");
  // The host's programs of HOST_PROGRAMS look for their libraries here.
  for (const name of ["lib", "lib64"]) await symlink(`usr/${name}`, join(rootfs, name));

  return {
    rootfs,
    run: (script, input) => run(directory, script, { namespace, ...input }),
    [Symbol.asyncDispose]: async () => {
      await removeCgroups(namespace);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The host's programs. With its perl, a test can make any system call without a compiler. */
export const HOST_PROGRAMS: StepMount = { type: "bind", source: "/usr", target: "/usr", readonly: true };

async function run(directory: string, script: string, input: Partial<SpecInput> = {}): Promise<Outcome> {
  const id = `wfe-${randomBytes(6).toString("hex")}`;
  const spec = createSpec({
    id,
    namespace: "default",
    host: HOST,
    args: ["/bin/sh", "-c", script],
    env: ["PATH=/bin:/usr/bin"],
    user: { uid: 0, gid: 0 },
    ...input,
  });
  await writeFile(join(directory, "config.json"), JSON.stringify(spec));
  // Its warnings are not the container's, for example of a control group that is still busy. Errors come.
  const runc = ["--root", join(directory, "state"), "--log", join(directory, "runc.log")];
  try {
    return await execute("runc", [...runc, "run", "--bundle", directory, id]);
  } finally {
    await execute("runc", [...runc, "delete", "--force", id]);
  }
}

/** Removes the cgroups of the namespace. A runtime removes only that of the container in it. */
async function removeCgroups(namespace: string): Promise<void> {
  const root = "/sys/fs/cgroup";
  const groups = [root, ...(await readdir(root)).map((name) => join(root, name))].map((path) =>
    join(path, namespace),
  );
  await Promise.all(groups.filter((path) => existsSync(path)).map((path) => rmdir(path)));
}

export function execute(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") return reject(error);
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
