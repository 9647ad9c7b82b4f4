import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { capture, Trouble } from "./process.mjs";

const OLDEST_NODE = [20, 19];

/**
 * Checks that this machine can run the demo and the tests.
 *
 * @throws Trouble that names everything that is missing.
 */
export async function checkMachine() {
  const missing = [];
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    missing.push(
      `Node ${OLDEST_NODE.join(".")} or newer: this is ${process.version}. https://nodejs.org has it.`,
    );
  }
  if (process.platform !== "linux") {
    missing.push(
      `Linux: containerd runs its containers on a Linux kernel, and this is ${process.platform}. Run this inside a Linux VM: ` +
        "test-infra/lima/README.md sets one up with Lima, and shows how to drive its containerd from here.",
    );
  } else if (process.getuid() !== 0) {
    missing.push(
      "root: containerd mounts file systems and makes namespaces. Try again with sudo, or as root.",
    );
  } else {
    const trouble = await tryOverlayfs();
    if (trouble !== undefined) {
      missing.push(
        `overlayfs in ${tmpdir()}: ${trouble}. Load the kernel's module (modprobe overlay). In a container, run it with --privileged, ` +
          "and set TMPDIR to a directory that is a volume: overlayfs does not go on top of overlayfs.",
      );
    }
  }
  if (missing.length > 0) {
    throw new Trouble(
      ["This cannot work here. Missing:", ...missing.map((text) => `  - ${text}`)].join("\n"),
    );
  }
}

/** Mounts an overlayfs and unmounts it. @returns The reason when that fails. */
async function tryOverlayfs() {
  const directory = await mkdtemp(join(tmpdir(), "wfe-overlay-"));
  try {
    for (const name of ["lower", "upper", "work", "merged"]) await mkdir(join(directory, name));
    const at = (name) => join(directory, name);
    const options = `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`;
    const mount = await capture("mount", ["-t", "overlay", "overlay", "-o", options, at("merged")]);
    if (mount.code !== 0) return mount.stderr.trim().split("\n")[0];
    await capture("umount", [at("merged")]);
    return undefined;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Whether this machine has the package manager of Debian, Ubuntu and their relatives. */
export function hasApt() {
  return isOnPath("apt-get") && isOnPath("dpkg-query");
}

export function isOnPath(program) {
  return findOnPath(program) !== undefined;
}

function findOnPath(program) {
  const places = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return places.map((place) => join(place, program)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** For example `Debian GNU/Linux 12 (bookworm)`. */
export async function systemName() {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? "an unknown system";
}
