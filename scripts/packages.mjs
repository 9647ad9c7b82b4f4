import { existsSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { KEYRING } from "./debian.mjs";
import { withLock } from "./lock.mjs";
import { hasApt, isOnPath, systemName } from "./machine.mjs";
import { capture, Trouble } from "./process.mjs";

/**
 * What steps need from the system. `name` is Debian's package. `program` or a file shows that it is
 * installed, in whatever way. `why` is the reason.
 */
const FOR_STEPS = [
  {
    name: "containerd",
    program: "containerd",
    why: "runs the containers; started privately, never the machine's own",
  },
  { name: "runc", program: "runc", why: "what containerd's shim starts containers with" },
  { name: "busybox-static", program: "busybox", why: "all that is in the demo's and the tests' small image" },
];
const FOR_TESTS = [
  { name: "git", program: "git", why: "tests of what a release does to the repository" },
  {
    name: "debian-archive-keyring",
    file: KEYRING,
    why: "checks the containerd packages that tests download",
  },
  {
    name: "iproute2",
    program: "ip",
    why: "network namespaces, for a daemon that shares nothing with the executor",
  },
  { name: "e2fsprogs", program: "mkfs.ext4", why: "a small disk for containerd, to be filled" },
  { name: "socat", program: "socat", why: "TCP to a daemon's socket, as in the Lima VM" },
  { name: "shellcheck", program: "shellcheck", why: "checks the few shell scripts" },
  { name: "tini", program: "tini-static", why: "an init for the steps that want one" },
  {
    name: "containernetworking-plugins",
    file: "/usr/lib/cni/bridge",
    why: "joins steps to a bridge",
  },
  { name: "iptables", program: "iptables", why: "lets steps on a bridge out" },
  {
    name: "debootstrap",
    program: "debootstrap",
    why: "makes the small Debian that steps run apt and dpkg in",
  },
  { name: "tmux", program: "tmux", why: "a real terminal for tests to type in, whose screen they read" },
  { name: "zsh", program: "zsh", why: "a shell that completes commands, with our script for it" },
  { name: "openssl", program: "openssl", why: "certificates for mutual TLS" },
  {
    name: "docker-registry",
    program: "docker-registry",
    why: "a registry on loopback to pull from and push to",
  },
  { name: "skopeo", program: "skopeo", why: "puts images into that registry, and checks what we put there" },
];

/** Installs the packages that are missing. @throws Trouble when that fails. */
export async function installPackages({ tests }) {
  const wanted = tests ? [...FOR_STEPS, ...FOR_TESTS] : FOR_STEPS;
  if (!wanted.some(isMissing)) return;
  const onWait = () => console.log("Waiting for another set-up on this machine, which installs packages");
  // One set-up at a time: what another set-up has installed need not be installed again.
  await withLock("packages", { onWait }, () => installMissing(wanted));
}

async function installMissing(wanted) {
  const missing = wanted.filter(isMissing);
  if (missing.length === 0) return;
  if (!hasApt()) {
    throw new Trouble(
      [
        `This is ${await systemName()}, where nothing can be installed by apt. Missing:`,
        ...missing.map(({ program, file, why }) => `  - ${program ?? file}: ${why}`),
        "Install these with the system's own package manager (https://github.com/containerd/containerd/blob/main/docs/getting-started.md for containerd), and try again.",
      ].join("\n"),
    );
  }
  console.log("Installing from the system's packages:");
  for (const { name, why } of missing) console.log(`  ${name.padEnd(16)} ${why}`);
  const names = missing.map(({ name }) => name);
  await withoutServices(names, async () => {
    const install = ["install", "--yes", "--no-install-recommends", ...names];
    // The lists may be missing or outdated. They are updated only if the first try fails.
    if ((await apt(install)).code === 0) return;
    for (const args of [["update"], install]) {
      const { code, stdout, stderr } = await apt(args);
      if (code !== 0)
        throw new Trouble(`${stdout}${stderr}\napt-get ${args.join(" ")}\nended with exit code ${code}`);
    }
  });
  const stillMissing = missing.filter(isMissing);
  if (stillMissing.length > 0) {
    throw new Trouble(
      `not there although apt installed them: ${stillMissing.map(({ name }) => name).join(", ")}`,
    );
  }
}

function isMissing({ program, file }) {
  return program === undefined ? !existsSync(file) : !isOnPath(program);
}

/** The machine's own updates may hold the locks of apt and dpkg for some minutes. */
const LOCKED_MS = 15 * 60_000;
const LOCKED = /Could not get lock|Unable to (?:acquire|lock)|is another process using it/;

/** Runs apt-get. While another process holds one of its locks, waits and tries again. */
async function apt(args) {
  // DPkg::Lock::Timeout covers only dpkg's locks. This loop waits for the lock of the lists.
  const options = ["-o", `DPkg::Lock::Timeout=${LOCKED_MS / 1000}`, "-o", "Acquire::Retries=5"];
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const giveUpAt = performance.now() + LOCKED_MS;
  for (;;) {
    const result = await capture("apt-get", ["--quiet", ...options, ...args], { env });
    if (result.code === 0 || !LOCKED.test(result.stderr) || performance.now() > giveUpAt) return result;
    await delay(1_000);
  }
}

const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Installs packages without starting or enabling their services.
 *
 * Debian starts a daemon when it installs it, and again at each boot. We start daemons ourselves where they
 * are needed, and nobody asked for a registry on port 5000. Services that the machine already had are not
 * touched.
 */
async function withoutServices(names, install) {
  if (existsSync(POLICY)) await install();
  else await withPolicy(install);
  if (!existsSync("/run/systemd/system")) return;
  for (const name of names) {
    const { stdout } = await capture("dpkg-query", ["--listfiles", name]);
    const units = stdout
      .split("\n")
      .flatMap((path) => /\/systemd\/system\/([^/]+\.service)$/.exec(path)?.[1] ?? []);
    if (units.length === 0) continue;
    // --root=/ changes only files. The running systemd is not needed: this concerns the next boot.
    const { code } = await capture("systemctl", ["--root=/", "disable", "--quiet", ...units]);
    const state =
      code === 0 ? "neither started nor enabled" : `not started; systemctl disable ${units[0]} keeps it so`;
    console.log(`  ${units.join(", ")}: ${state}`);
  }
}

/** Debian runs this program before it starts a service. It is removed at the end, also after an interrupt. */
async function withPolicy(install) {
  const remove = () => rmSync(POLICY, { force: true });
  const leave = () => process.exit(1);
  process.once("exit", remove).once("SIGINT", leave).once("SIGTERM", leave);
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
  try {
    await install();
  } finally {
    remove();
    process.off("exit", remove).off("SIGINT", leave).off("SIGTERM", leave);
  }
}
