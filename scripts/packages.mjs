import { access, rm, writeFile } from "node:fs/promises";
import { hasApt, isOnPath, systemName } from "./machine.mjs";
import { capture, Trouble } from "./process.mjs";

/**
 * What is needed of the system: Debian's package, the program by which it is found (where packages are no help, or something else
 * brought it), and the reason.
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
  {
    name: "iproute2",
    program: "ip",
    why: "network namespaces, for a daemon that shares nothing with the executor",
  },
  { name: "socat", program: "socat", why: "TCP to a daemon's socket, as in the Lima VM" },
  { name: "openssl", program: "openssl", why: "certificates for mutual TLS" },
  {
    name: "docker-registry",
    program: "docker-registry",
    why: "a registry on loopback to pull from and push to",
  },
  { name: "skopeo", program: "skopeo", why: "puts images into that registry, and checks what we put there" },
];

/** Installs what is missing. @throws Trouble when it cannot. */
export async function installPackages({ tests }) {
  const wanted = tests ? [...FOR_STEPS, ...FOR_TESTS] : FOR_STEPS;
  const missing = wanted.filter(({ program }) => !isOnPath(program));
  if (missing.length === 0) return;
  if (!hasApt()) {
    throw new Trouble(
      [
        `This is ${await systemName()}, where nothing can be installed by apt. Missing on PATH:`,
        ...missing.map(({ program, why }) => `  - ${program}: ${why}`),
        "Install these with the system's own package manager (https://github.com/containerd/containerd/blob/main/docs/getting-started.md for containerd), and try again.",
      ].join("\n"),
    );
  }
  console.log("Installing from the system's packages:");
  for (const { name, why } of missing) console.log(`  ${name.padEnd(16)} ${why}`);
  const names = missing.map(({ name }) => name);
  await withoutServices(names, async () => {
    const install = ["install", "--yes", "--no-install-recommends", ...names];
    // The lists may be missing, or older than what the mirrors still have: get them only then.
    if ((await apt(install)).code === 0) return;
    for (const args of [["update"], install]) {
      const { code, stdout, stderr } = await apt(args);
      if (code !== 0)
        throw new Trouble(`${stdout}${stderr}\napt-get ${args.join(" ")}\nended with exit code ${code}`);
    }
  });
  const stillMissing = missing.filter(({ program }) => !isOnPath(program));
  if (stillMissing.length > 0) {
    throw new Trouble(
      `not on PATH although apt installed them: ${stillMissing.map(({ name }) => name).join(", ")}`,
    );
  }
}

function apt(args) {
  return capture("apt-get", ["--quiet", ...args], { env: { DEBIAN_FRONTEND: "noninteractive" } });
}

const POLICY = "/usr/sbin/policy-rc.d";

/**
 * Debian starts a daemon as it installs it, and again at each boot. Ours are started by hand where they are needed, and nobody asked for
 * a registry on port 5000: so what is newly installed here is neither started nor enabled. What the machine already had is not touched.
 */
async function withoutServices(names, install) {
  const ours = !(await exists(POLICY));
  if (ours) await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755, flag: "wx" });
  try {
    await install();
  } finally {
    if (ours) await rm(POLICY, { force: true });
  }
  if (!(await exists("/run/systemd/system"))) return;
  for (const name of names) {
    const { stdout } = await capture("dpkg-query", ["--listfiles", name]);
    const units = stdout
      .split("\n")
      .flatMap((path) => /\/systemd\/system\/([^/]+\.service)$/.exec(path)?.[1] ?? []);
    if (units.length === 0) continue;
    await capture("systemctl", ["disable", "--quiet", ...units]);
    console.log(
      `  ${units.join(", ")}: installed, but neither started nor enabled (systemctl enable --now ${units[0]} would).`,
    );
  }
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
