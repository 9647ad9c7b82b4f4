import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { cpus } from "node:os";
import {
  createExecutor,
  type StepInput,
  type StepResult,
  UNRESTRICTED_POLICY,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { describe, expect, test } from "vitest";
import { CAPABILITIES } from "../src/core/spec/capability-names.js";
import { HOST, heldCapabilities } from "./runc.js";

const here = useDaemon();
const isCgroup1 = HOST.cgroupVersion === 1;

async function run(step: Partial<StepInput>): Promise<StepResult> {
  await using executor = createExecutor({
    client: here.client,
    ioDir: here.ioDir,
    policy: UNRESTRICTED_POLICY,
  });
  return await executor.run({ name: "limited", image: "busybox", ...step } as StepInput);
}

/** The command that prints a control of the step's own cgroup. */
function control(v1: string, v2: string): string {
  return `cat /sys/fs/cgroup/${isCgroup1 ? v1 : v2}`;
}

/** The numbers (major:minor) of this machine's whole block devices. */
async function wholeBlockDevices(): Promise<string[]> {
  const names = await readdir("/sys/block").catch((): string[] => []);
  return Promise.all(names.map(async (name) => (await readFile(`/sys/block/${name}/dev`, "utf8")).trim()));
}

async function limitsHugePages(): Promise<boolean> {
  const controllers = await readFile(
    isCgroup1 ? "/proc/cgroups" : "/sys/fs/cgroup/cgroup.controllers",
    "utf8",
  );
  const isMounted = !isCgroup1 || existsSync("/sys/fs/cgroup/hugetlb");
  return isMounted && /\bhugetlb\b/.test(controllers);
}

describe("a step sees", () => {
  test("its limits of memory, CPU and processes, in its cgroup", async () => {
    const { stdout } = await run({
      memory: "64m",
      memorySwap: "96m",
      memoryReservation: "32m",
      cpu: 0.5,
      cpuShares: 512,
      cpusetCpus: "0",
      pidsLimit: 77,
      run: [
        control("memory/memory.limit_in_bytes", "memory.max"),
        control("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
        control("memory/memory.soft_limit_in_bytes", "memory.low"),
        control("cpu/cpu.cfs_quota_us", "cpu.max"),
        control("cpuset/cpuset.cpus", "cpuset.cpus"),
        control("pids/pids.max", "pids.max"),
        "nproc",
      ].join("; "),
    });
    const MIB = 1 << 20;
    const swap = isCgroup1 ? 96 * MIB : 32 * MIB;
    const cpu = isCgroup1 ? "50000" : "50000 100000";
    expect(stdout.trim().split("\n")).toEqual([64 * MIB, swap, 32 * MIB, cpu, 0, 77, 1].map(String));
  });

  test("its share of block I/O, where the kernel weighs that", async () => {
    const controls = `cd /sys/fs/cgroup/${isCgroup1 ? "blkio" : ""}; for file in blkio.weight blkio.bfq.weight io.bfq.weight io.weight; do
      if [ -e $file ]; then echo "$file $(cat $file)"; fi; done`;
    const { stdout: there } = await run({ run: controls });
    const weighed = run({ blkioWeight: 500, run: controls });
    if (there === "") {
      await expect(weighed).rejects.toMatchObject({ kind: "refused", issues: [{ field: "blkioWeight" }] });
      return;
    }
    // The first control counts. io.weight goes from 1 to 10000, and the runtime converts our value to it.
    const [, control, weight] = /^(\S+) (?:default )?(\d+)\n/.exec((await weighed).stdout) ?? [];
    expect(weight).toBe(control === "io.weight" ? "4950" : "500");
  });

  test("what a block device of the machine's gives it", async ({ skip }) => {
    const [device] = await wholeBlockDevices();
    if (device === undefined) return skip("this machine has no block device");
    const { stdout } = await run({
      deviceReadBps: { [device]: "1m" },
      deviceWriteBps: { [device]: "2m" },
      deviceReadIops: { [device]: 3 },
      deviceWriteIops: { [device]: 4 },
      run: isCgroup1
        ? ["read_bps", "write_bps", "read_iops", "write_iops"]
            .map((rate) => `cat /sys/fs/cgroup/blkio/blkio.throttle.${rate}_device`)
            .join("; ")
        : "cat /sys/fs/cgroup/io.max",
    });
    const rates = [1 << 20, 2 << 20, 3, 4];
    const names = ["rbps", "wbps", "riops", "wiops"];
    expect(stdout).toBe(
      isCgroup1
        ? rates.map((rate) => `${device} ${rate}\n`).join("")
        : `${device} ${rates.map((rate, at) => `${names[at]}=${rate}`).join(" ")}\n`,
    );
  });

  test("its limit of huge pages", async ({ skip }) => {
    const sizes = await readdir("/sys/kernel/mm/hugepages").catch((): string[] => []);
    if (!sizes.includes("hugepages-2048kB")) return skip("this machine has no huge pages of 2 MB");
    if (!(await limitsHugePages())) return skip("this machine has no cgroup controller hugetlb");
    const { stdout } = await run({
      hugepages: { "2MB": "64m" },
      run: control("hugetlb/hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"),
    });
    expect(stdout).toBe(`${64 << 20}\n`);
  });

  test("ulimits of -1 as unlimited", async () => {
    const { stdout } = await run({
      ulimits: { core: -1, cpu: { soft: 100, hard: -1 } },
      run: "ulimit -Sc; ulimit -Hc; ulimit -St; ulimit -Ht; grep -E '^Max core' /proc/self/limits",
    });
    expect(stdout.replaceAll(/ +/g, " ")).toBe(
      "unlimited\nunlimited\n100\nunlimited\nMax core file size unlimited unlimited bytes \n",
    );
  });

  test("its ulimits, and the size of its shared memory", async () => {
    const { stdout } = await run({
      ulimits: { nofile: { soft: 100, hard: 200 }, core: 0 },
      shmSize: "2m",
      run: "ulimit -Sn; ulimit -Hn; ulimit -c; df -k /dev/shm | awk 'END { print $2 }'",
    });
    expect(stdout).toBe("100\n200\n0\n2048\n");
  });
});

describe("a step is held to", () => {
  test("its memory: what is over is killed, and the result says why", async () => {
    expect(await run({ memory: "16m", run: "exec tail -c 200m /dev/zero" })).toMatchObject({
      exitCode: 137,
      cause: "oom",
    });
  });

  test("its processes: a fork over the limit fails", async () => {
    const { stderr, exitCode } = await run({
      pidsLimit: 10,
      run: "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; echo all",
    });
    expect(stderr).toContain("can't fork");
    expect(exitCode).not.toBe(0);
  });

  test("its share of CPU time, as the cgroup counts it", async () => {
    // On a busy machine the step may for a while get less than its share.
    const stat = control("cpu/cpu.stat", "cpu.stat");
    const result = await run({
      cpu: 0.1,
      run: `until [ "$(${stat} | grep nr_throttled | cut -d' ' -f2)" -gt 3 ]; do :; done; echo held`,
      timeoutMs: 500_000,
    });
    expect(result).toMatchObject({ cause: "exit", stdout: "held\n" });
  });

  test("its open files, its shared memory and its tmpfs", async () => {
    const { stdout } = await run({
      ulimits: { nofile: 20 },
      shmSize: "1m",
      tmpfs: ["/small:size=1m"],
      run: "set +e; exec 2>&1; for at in /dev/shm /small; do head -c 2000000 /dev/zero > $at/x; stat -c %s $at/x; done; tail -n 1 $(yes /dev/null | head -n 30)",
    });
    expect(stdout.match(/^1048576$/gm)).toHaveLength(2);
    expect(stdout).toMatch(/Too many open files/i);
  });

  test("a root file system that it may only read, but for what is mounted", async () => {
    const { stdout } = await run({
      user: "root",
      readOnly: true,
      tmpfs: ["/tmp"],
      run: "set +e; exec 2>&1; echo x > /tmp/x && cat /tmp/x; echo x > /x; mount -o remount,rw /",
    });
    expect(stdout).toMatch(/^x\n.*\/x: Read-only file system\n.*(denied|permitted)/s);
  });
});

describe("what the daemon's machine cannot apply is refused by its field, and nothing is left:", () => {
  const missing = CAPABILITIES.filter((_, bit) => ((heldCapabilities() >> BigInt(bit)) & 1n) === 0n);
  const hasResource = !missing.includes("CAP_SYS_RESOURCE");
  const cases: [string, Partial<StepInput>, boolean?][] = [
    ["cpu", { cpu: cpus().length + 1 }],
    ["cpusetCpus", { cpusetCpus: "0-9999" }],
    ["cpusetMems", { cpusetMems: "77" }],
    ["hugepages", { hugepages: { "3MB": "64m" } }],
    [isCgroup1 ? "deviceReadBps" : "device_*", { deviceReadBps: { "777:77": "1m" } }],
    ["sysctls.net.ipv4.no_such_thing", { sysctls: { "net.ipv4.no_such_thing": "1" } }],
    ["sysctls.kernel.shmmax", { sysctls: { "kernel.shmmax": "many" } }],
    ["capAdd", { user: "root", capAdd: missing.slice(0, 1) }, missing.length > 0],
    ["ulimits", { ulimits: { nofile: 2 ** 30 } }, !hasResource],
    ["ulimits", { ulimits: { nofile: 4 } }],
    ["oomScoreAdj", { oomScoreAdj: -1000 }, !hasResource],
    ["apparmorProfile", { apparmorProfile: "none-of-that-name" }],
  ];
  test.each(cases.filter(([, , applies = true]) => applies))("%s", async (field, step) => {
    const before = await here.inventory();
    await expect(run({ run: "true", ...step })).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field, allowed: expect.any(String) }],
    });
    await here.expectNothingLeft(before);
  });
});

test("privileged, and all capabilities, are those that the daemon has to give", async () => {
  const held = heldCapabilities().toString(16).padStart(16, "0");
  for (const step of [{ privileged: true }, { capAdd: ["ALL"] }]) {
    const { stdout } = await run({ user: "root", ...step, run: "grep CapEff /proc/self/status" });
    expect(stdout).toBe(`CapEff:\t${held}\n`);
  }
});
