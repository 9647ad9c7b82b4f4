import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "../src/core/spec/capability-names.js";
import { type Bundle, createBundle, execute, HOST, HOST_PROGRAMS, heldCapabilities } from "./runc.js";
import { socketcall32 } from "./socketcall32.js";

const NOBODY = { user: { uid: 65534, gid: 65534 } };
const isAmd64 = HOST.platform.architecture === "amd64";
/** Some machines of amd64 run no 32-bit programs: by their kernel's configuration, or as encrypted guests. */
const runs32Bit = isAmd64 && (await canRun(socketcall32(38)));

let bundle: Bundle;
beforeAll(async () => {
  bundle = await createBundle();
});
afterAll(() => bundle[Symbol.asyncDispose]());

async function canRun(program: Uint8Array): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), "test-program-"));
  const path = join(directory, "program");
  await writeFile(path, program, { mode: 0o755 });
  // Node gives what the kernel does not know to a shell, which complains.
  const { error, stderr } = spawnSync(path);
  await rm(directory, { recursive: true });
  return error === undefined && stderr.length === 0;
}

/** The value of a line in /proc/self/status. */
function statusOf(stdout: string, key: string): string {
  return new RegExp(`^${key}:\\s*(.*)$`, "m").exec(stdout)?.[1] ?? "absent";
}

function mask(names: readonly string[]): string {
  const bits = names.reduce((sum, name) => sum | (1n << BigInt(CAPABILITIES.indexOf(name))), 0n);
  return bits.toString(16).padStart(16, "0");
}

describe("a process's privileges", () => {
  test("root has the fourteen capabilities, a seccomp filter and no way to more", async () => {
    const { stdout } = await bundle.run("cat /proc/self/status");
    expect(statusOf(stdout, "CapBnd")).toBe(mask(DEFAULT_CAPABILITIES));
    expect(statusOf(stdout, "CapEff")).toBe(mask(DEFAULT_CAPABILITIES));
    expect(statusOf(stdout, "CapPrm")).toBe(mask(DEFAULT_CAPABILITIES));
    expect(statusOf(stdout, "CapInh")).toBe(mask([]));
    expect(statusOf(stdout, "CapAmb")).toBe(mask([]));
    expect(statusOf(stdout, "NoNewPrivs")).toBe("1");
    expect(statusOf(stdout, "Seccomp")).toBe("2");
  });

  test("another user has none, in no set", async () => {
    const { stdout } = await bundle.run("cat /proc/self/status; id", NOBODY);
    for (const set of ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"]) {
      expect(statusOf(stdout, set)).toBe(mask([]));
    }
    expect(stdout).toContain("uid=65534 gid=65534 groups=65534\n");
  });

  test("a capability added for another user works, and is all it has", async () => {
    const { stdout, exitCode } = await bundle.run(
      "chown 5:5 /tmp && cat /proc/self/status && chown 0:0 /tmp",
      {
        ...NOBODY,
        capabilities: { add: ["chown"] },
      },
    );
    expect(exitCode).toBe(0);
    expect(statusOf(stdout, "CapEff")).toBe(mask(["CAP_CHOWN"]));
    expect(statusOf(stdout, "CapBnd")).toBe(mask(["CAP_CHOWN"]));
  });

  test("dropped capabilities are gone from root too", async () => {
    const { stdout } = await bundle.run("chown 5:5 /tmp 2>&1; cat /proc/self/status", {
      capabilities: { drop: ["ALL"], add: ["KILL"] },
    });
    expect(stdout).toContain("Operation not permitted");
    expect(statusOf(stdout, "CapEff")).toBe(mask(["CAP_KILL"]));
  });

  test("privileged has all that the daemon's host has to give, and no filter", async () => {
    const { stdout } = await bundle.run("cat /proc/self/status; mount -t tmpfs none /work && echo mounted", {
      privileged: true,
    });
    expect(statusOf(stdout, "CapEff")).toBe(heldCapabilities().toString(16).padStart(16, "0"));
    expect(statusOf(stdout, "Seccomp")).toBe("0");
    expect(statusOf(stdout, "NoNewPrivs")).toBe("0");
    expect(stdout).toContain("mounted");
  });

  test("groups are those given, the process's own among them", async () => {
    const { stdout } = await bundle.run("id -u; id -g; id -G; umask", {
      user: { uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o077 },
    });
    expect(stdout).toBe("1000\n1001\n1001 7 8\n0077\n");
  });

  test("HOME comes from the container's passwd", async () => {
    const { stdout } = await bundle.run("echo $HOME", { user: { uid: 1000, gid: 1000 } });
    expect(stdout).toBe("/home/user\n");
  });

  test("limits and the out-of-memory score are those given", async () => {
    const { stdout } = await bundle.run("ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj", {
      ulimits: { nofile: { soft: 99, hard: 111 } },
      oomScoreAdj: 500,
    });
    expect(stdout).toBe("99\n111\n500\n");
  });

  test("a program of the host's becomes process 1 when asked to, and runs the step's", async () => {
    const init = join(bundle.rootfs, "work/init");
    await writeFile(init, '#!/bin/sh\necho "$$ $1"; shift; "$@"\n', { mode: 0o755 });
    const { stdout } = await bundle.run("test $$ -ne 1 && echo not first", { init });
    expect(stdout).toBe("1 --\nnot first\n");
  });
});

describe("system calls", () => {
  /** The command that makes a socket by the bare system call, and prints the errno, or 0. */
  function socketErrno(family: bigint): string {
    return `perl -e '$r = syscall(${isAmd64 ? 41 : 198}, ${family}, 5, 0); print $r < 0 ? $!+0 : 0, "\\n"'`;
  }

  test("root can neither mount, unshare, set the host's name, nor read the kernel's log", async () => {
    const { stdout } = await bundle.run(
      "for c in 'mount -t tmpfs none /work' 'unshare -m true' 'unshare -U true' 'hostname x' dmesg; do" +
        " $c 2>/dev/null && echo did $c; done; echo end",
    );
    expect(stdout).toBe("end\n");
  });

  test("the filter follows the bounding set: with SYS_ADMIN mount works", async () => {
    const { stdout, stderr } = await bundle.run("mount -t tmpfs none /work && echo mounted", {
      capabilities: { add: ["SYS_ADMIN"] },
    });
    expect(stderr).toBe("");
    expect(stdout).toBe("mounted\n");
  });

  test("no sockets of AF_ALG and AF_VSOCK, nor by bits that the kernel does not look at", async () => {
    const families = [38n, 40n, (1n << 32n) + 38n, (1n << 32n) + 40n];
    const { stdout } = await bundle.run(families.map(socketErrno).join("; "), { mounts: [HOST_PROGRAMS] });
    expect(stdout).toBe("1\n1\n1\n1\n");
  });

  test("a rule that compares 64 bits lets such a family through to the kernel", async () => {
    const { stdout } = await bundle.run(socketErrno((1n << 32n) + 38n), {
      mounts: [HOST_PROGRAMS],
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: {},
        rules: [
          {
            syscalls: ["socket"],
            action: "SCMP_ACT_ERRNO",
            errno: 1,
            args: [{ index: 0, op: "SCMP_CMP_EQ", value: 38 }],
          },
        ],
      },
    });
    expect(stdout).not.toBe("1\n");
  });

  test("sockets of this machine and of the internet are made", async () => {
    const families = [1n, 2n, 10n];
    const { stdout } = await bundle.run(families.map(socketErrno).join("; ").replaceAll(", 5, 0", ", 2, 0"), {
      mounts: [HOST_PROGRAMS],
    });
    expect(stdout).toBe("0\n0\n0\n");
  });

  test.runIf(runs32Bit)("AF_ALG is refused to 32-bit programs that use socketcall", async () => {
    await writeFile(join(bundle.rootfs, "bin/socketcall32"), socketcall32(38), { mode: 0o755 });
    const unconfined = await bundle.run("socketcall32", { seccomp: "unconfined" });
    const confined = await bundle.run("socketcall32");
    expect(unconfined.exitCode).not.toBe(38);
    expect(confined.exitCode).toBe(38);
  });

  test("clone3 is said not to exist, so that programs fall back to clone", async () => {
    const { stdout } = await bundle.run("perl -e 'syscall(435, 0, 0); print $!+0'", {
      mounts: [HOST_PROGRAMS],
    });
    expect(stdout).toBe("38");
  });

  test("the kernel's keyrings, userfaultfd and io_uring are out of reach", async () => {
    const numbers = isAmd64 ? [250, 323, 425] : [219, 282, 425];
    const { stdout } = await bundle.run(
      numbers.map((number) => `perl -e 'print syscall(${number}, 0, 0), $!+0, "\\n"'`).join("; "),
      { mounts: [HOST_PROGRAMS] },
    );
    expect(stdout).toBe("-11\n-11\n-11\n");
  });
});

describe("what a container sees", () => {
  test("processes, host name, cgroups and network are its own; loopback is up", async () => {
    const { stdout } = await bundle.run("ps -o pid= | wc -l; hostname; cat /proc/self/cgroup; ip -o link", {
      hostname: "step-7",
    });
    const [processes, name, ...rest] = stdout.trim().split("\n");
    expect(Number(processes)).toBeLessThanOrEqual(4);
    expect(name).toBe("step-7");
    const cgroups = rest.filter((line) => /^\d+:[^ ]*:\//.test(line));
    expect(cgroups.length).toBeGreaterThan(0);
    expect(cgroups.every((line) => line.endsWith(":/"))).toBe(true);
    const links = rest.filter((line) => line.includes("mtu"));
    expect(links).toHaveLength(1);
    expect(links[0]).toMatch(/^1: lo: <LOOPBACK,UP/);
  });

  test("the host's network is the host's", async () => {
    const { stdout } = await bundle.run("readlink /proc/self/ns/net", { network: "host" });
    const { stdout: own } = await bundle.run("readlink /proc/self/ns/net");
    const { stdout: host } = await execute("readlink", ["/proc/self/ns/net"]);
    expect(stdout).toBe(host);
    expect(own).not.toBe(host);
  });

  test("masked files are empty, masked directories too, and the kernel's settings read-only", async () => {
    const { stdout } = await bundle.run(
      "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/sched_debug; do" +
        " test -e $f && cat $f; done; ls /sys/firmware /proc/acpi 2>/dev/null | grep -v '^/' | grep .;" +
        " for f in /proc/sys/kernel/shmmni /proc/sysrq-trigger /sys/kernel/mm/ksm/run; do" +
        " test -e $f && (echo 0 > $f) 2>/dev/null && echo wrote $f; done; echo end",
    );
    expect(stdout).toBe("end\n");
  });

  test("privileged sees them", async () => {
    const { stdout } = await bundle.run(
      "wc -c < /proc/interrupts; awk '$5 == \"/sys\" {print $6}' /proc/self/mountinfo",
      {
        privileged: true,
      },
    );
    const [bytes, sys] = stdout.trim().split("\n");
    expect(Number(bytes)).toBeGreaterThan(0);
    expect(sys).toMatch(/^rw,/);
  });

  test("a device of the host's that root makes a node for cannot be opened", async () => {
    const { stdout } = await bundle.run(
      "for d in 'b 8 0' 'b 7 0' 'b 254 0' 'c 1 11' 'c 10 229' 'c 10 232' 'c 1 1'; do mknod /work/d $d; " +
        "(head -c1 /work/d) 2>&1 | grep -q 'not permitted' || echo opened $d; rm /work/d; done; " +
        "echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c",
    );
    expect(stdout).toBe("4\n4\n");
  });

  test("a device that was given is there", async () => {
    const { stdout } = await bundle.run("stat -c '%t:%T %a' /dev/fuse; (: < /dev/fuse) && echo opened", {
      ...NOBODY,
      devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }],
    });
    expect(stdout).toContain("a:e5 666\n");
  });

  test("kernel parameters of its own namespaces are set", async () => {
    const { stdout } = await bundle.run(
      "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced",
      {
        sysctls: { "net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1" },
      },
    );
    expect(stdout).toBe("1\n1\n");
  });

  test("the working directory is made when it is missing", async () => {
    const { stdout } = await bundle.run("pwd", { ...NOBODY, cwd: "/not/yet" });
    expect(stdout).toBe("/not/yet\n");
  });

  test("a user namespace maps root to nobody in particular", async () => {
    const { stdout, stderr } = await bundle.run(
      "id -u; tr -s ' ' < /proc/self/uid_map; mount -t tmpfs none /work",
      {
        userNamespace: {
          uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
          gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        },
      },
    );
    expect(stdout).toBe("0\n 0 100000 65536\n");
    expect(stderr).toContain("permission denied");
  });
});

test.each([
  [undefined, "opened"],
  [{ "net.ipv4.ping_group_range": "1 0" }, "Permission denied"],
])(
  "a user without capabilities may send pings in the step's own network, unless sysctls are %j",
  async (sysctls, expected) => {
    // busybox's ping knows only raw sockets, so perl opens the ping socket.
    const perl = "use Socket; print socket(my $s, PF_INET, SOCK_DGRAM, 1) ? 'opened' : $!";
    const { stdout } = await bundle.run("", {
      args: ["/usr/bin/perl", "-e", perl],
      user: { uid: 1000, gid: 1000 },
      mounts: [HOST_PROGRAMS],
      sysctls,
    });
    expect(stdout).toBe(expected);
  },
);
