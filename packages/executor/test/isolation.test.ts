import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createExecutor,
  type Policy,
  removeVolume,
  type StepInput,
  type StepResult,
  UNRESTRICTED_POLICY,
} from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { ctr } from "@wfe-containerd/test-infra/daemon/ctr";
import { DEBIAN_NAME, debianArchive } from "@wfe-containerd/test-infra/images/debian";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareProbe, PROFILES, type Profile } from "../../../test-infra/probe/expected.js";

const at = useDaemon({ image: false });

/** The same image with a USER, for which ctr has no flag. */
const NOBODYS = "docker.io/library/debian:nobody";
const MEMORY_BYTES = 64 * 1024 * 1024;
const ABSTRACT = `wfe-isolation-${process.pid}`;
let tcp: Server;
let abstract: Server;

beforeAll(async () => {
  await at.client.images.import(once(await debianArchive()), { name: DEBIAN_NAME });
  await at.client.images.import(once(await debianArchive({ name: NOBODYS, user: "65534:65534" })), {
    name: NOBODYS,
  });
  tcp = await listen({ port: 0, host: "127.0.0.1" });
  abstract = await listen({ path: `\0${ABSTRACT}` });
});

afterAll(async () => {
  tcp.close();
  abstract.close();
  for (const name of [NOBODYS, DEBIAN_NAME]) await at.client.images.remove(name);
});

function listen(options: { port: number; host: string } | { path: string }): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject).listen(options, () => resolve(server));
  });
}

/** Runs a step. Only a privileged step needs a policy that allows it. */
async function run(
  step: Partial<StepInput>,
  policy: Partial<Policy> = step.privileged === true ? UNRESTRICTED_POLICY : {},
): Promise<StepResult> {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
  return await executor.run({ name: "debian", image: "debian:bookworm", ...step } as StepInput);
}

const STEPS: Readonly<Record<Profile, Partial<StepInput>>> = {
  default: {},
  root: { user: "root" },
  privileged: { user: "root", privileged: true },
};

function probeEnv(): Record<string, string> {
  const address = tcp.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    PROBE_PORT: String(port),
    PROBE_ABSTRACT: ABSTRACT,
    PROBE_PROCESS: String(process.pid),
    PROBE_MEMORY: String(MEMORY_BYTES),
  };
}

async function probeStep(profile: Profile): Promise<string> {
  const result = await run({
    ...STEPS[profile],
    run: "exec perl /probe.pl",
    pidsLimit: 50,
    memory: MEMORY_BYTES,
    env: { ...probeEnv(), PROBE_PIDS: "50" },
  });
  expect(result).toMatchObject({ exitCode: 0, stderr: "", oomKills: 1 });
  return result.stdout;
}

describe.each(PROFILES)("a step with the profile %s", (profile) => {
  test("gets from inside what the table says", async () => {
    expect(compareProbe(await probeStep(profile), profile)).toEqual([]);
  });

  test("gets no more than ctr run --seccomp gives", async () => {
    const flags: Record<Profile, string[]> = {
      default: ["--seccomp", NOBODYS],
      root: ["--seccomp", DEBIAN_NAME],
      privileged: ["--privileged", DEBIAN_NAME],
    };
    const env = Object.entries(probeEnv()).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    const limit = ["--memory-limit", String(MEMORY_BYTES)];
    const theirs = toOutcomes(
      await ctr(
        at,
        "run",
        "--rm",
        ...limit,
        ...env,
        ...flags[profile],
        `ctr-${profile}`,
        "perl",
        "/probe.pl",
      ),
    );
    const ours = toOutcomes(await probeStep(profile));
    const different = [...theirs].filter(([attempt, outcome]) => ours.get(attempt) !== outcome);
    // Every attempt must be tried, or the comparison is worth nothing. Only the limit of processes is
    // missing: ctr has no flag for it.
    expect(theirs.size).toBe(ours.size - 1);
    for (const [attempt, outcome] of different) {
      expect(WIDER_IN_CTR[profile], `${attempt}: ${outcome}, ours ${ours.get(attempt)}`).toContain(attempt);
    }
  });
});

/**
 * The attempts in which ctr's container may do more than ours, in some release. The cgroup differs for
 * another reason: ctr does not mount it at all, and only our privileged steps may write to it. ctr's memory
 * limit has no effect if the machine has swap.
 */
const WIDER_IN_CTR: Readonly<Record<Profile, readonly string[]>> = (() => {
  const always = ["the cgroup's path", "write to a cgroup", "eat memory past the limit"];
  const confined = [
    ...always,
    "io_uring",
    "/proc/interrupts",
    "a socket of AF_ALG",
    "a socket of AF_VSOCK",
    "a socket of AF_ALG in disguise",
  ];
  // ctr's seccomp profile allows chroot by what root may do, whoever runs. So for others chroot fails one
  // check later.
  return { default: [...confined, "chroot"], root: confined, privileged: [...always, "devices in /dev"] };
})();

function toOutcomes(output: string): Map<string, string> {
  return new Map(
    output
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t") as [string, string]),
  );
}

describe("what package managers need", () => {
  const AS_APT = "setpriv --reuid=_apt --regid=nogroup --init-groups";
  /** Makes an apt repository of the package files in the image. */
  const REPOSITORY = `
    cd /repository
    for file in *.deb; do
      dpkg-deb --field "$file"
      echo "Filename: ./$file"
      echo "Size: $(stat -c %s "$file")"
      echo "SHA256: $(sha256sum "$file" | cut -d' ' -f1)"
      echo
    done > Packages
    echo 'deb [trusted=yes] file:/repository ./' > /etc/apt/sources.list`;

  test("root can do: apt-get updates as _apt and installs set-uid programs, chown, setgroups", async () => {
    const result = await run({
      user: "root",
      run: `set -e
        ${REPOSITORY}
        apt-get -o Debug::NoDropPrivs=false update
        stat -c 'lists are %U' /var/lib/apt/lists/partial
        rm /usr/bin/passwd
        apt-get install --yes --reinstall passwd login
        stat -c 'passwd is %U %a' /usr/bin/passwd
        touch /root/given; chown _apt:nogroup /root/given; stat -c 'given is %U:%G' /root/given
        ${AS_APT} sh -c 'echo "now $(id -un)"; touch /etc/x 2>&1 || true'`,
    });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain("lists are _apt\n");
    expect(result.stdout).toContain("passwd is root 4755\n");
    expect(result.stdout).toContain("given is _apt:nogroup\n");
    expect(result.stdout).toContain("now _apt\ntouch: cannot touch '/etc/x': Permission denied\n");
    // apt's messages if it cannot become _apt.
    expect(result.stderr).not.toMatch(/sandbox|setgroups|seteuid/);
  });

  test.each([
    ["apt-get update", "Permission denied"],
    ["dpkg --install /repository/passwd_*.deb", "superuser privilege"],
    ["chown _apt /tmp/own", "Operation not permitted"],
    [`${AS_APT} true`, "Operation not permitted|setresuid failed|setgid failed"],
    ["perl -e 'syscall(116, 0, 0) == 0 or die \"$!\\n\"'", "Operation not permitted"],
    ["su -c true", "Authentication failure|must be run from a terminal|cannot set groups"],
    ["mount -t tmpfs none /tmp", "must be superuser|permission denied|only root"],
    ["echo 1 > /proc/sys/vm/drop_caches", "Permission denied|Read-only"],
    ["rm /usr/bin/passwd", "Permission denied"],
  ])("nobody cannot do: %s", async (command, complaint) => {
    const { exitCode, stdout } = await run({ user: "nobody", run: `exec 2>&1; touch /tmp/own; ${command}` });
    expect(stdout).toMatch(new RegExp(complaint));
    expect(exitCode).not.toBe(0);
  });
});

describe("bad input 14: a set-uid program gives nobody nothing", () => {
  const AS_ROOT = "cp /usr/bin/suid /kept/suid && chmod 4755 /kept/suid && stat -c '%u %a' /kept/suid";

  test("from the image, unless the operator lets it", async () => {
    expect(await run({ user: "nobody", run: "/usr/bin/suid -u" })).toMatchObject({ stdout: "65534\n" });
    const allowed = await run(
      { user: "nobody", noNewPrivileges: false, run: "/usr/bin/suid -u" },
      UNRESTRICTED_POLICY,
    );
    expect(allowed).toMatchObject({ stdout: "0\n" });
  });

  test("from a cache or a directory of the machine's, whoever put it there, and never", async () => {
    const source = await mkdtemp(join(tmpdir(), "test-suid-"));
    for (const kept of [{ caches: ["suid:/kept"] }, { volumes: [`${source}:/kept`] }]) {
      expect(await run({ ...kept, user: "root", run: AS_ROOT }, UNRESTRICTED_POLICY)).toMatchObject({
        stdout: "0 4755\n",
      });
      const theirs = { ...kept, user: "nobody", noNewPrivileges: false, run: "/kept/suid -u" };
      if (kept.volumes !== undefined) await chmod(source, 0o755);
      expect(await run(theirs, UNRESTRICTED_POLICY)).toMatchObject({ stdout: "65534\n" });
    }
    await removeVolume(at.client, "suid");
    await rm(source, { recursive: true });
  });
});
