import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_PIDS_LIMIT } from "../src/core/spec/resources.js";
import { type Bundle, createBundle, HOST } from "./runc.js";

const isCgroup1 = HOST.cgroupVersion === 1;

let bundle: Bundle;
beforeAll(async () => {
  bundle = await createBundle();
});
afterAll(() => bundle[Symbol.asyncDispose]());

/** The command that prints a control of the container's own cgroup. */
function control(v1: string, v2: string): string {
  return `cat /sys/fs/cgroup/${isCgroup1 ? v1 : v2}`;
}

test("limits are those of the container's cgroup", async () => {
  const { stdout } = await bundle.run(
    [
      control("memory/memory.limit_in_bytes", "memory.max"),
      control("cpu/cpu.cfs_quota_us", "cpu.max"),
      control("pids/pids.max", "pids.max"),
      control("cpuset/cpuset.cpus", "cpuset.cpus"),
    ].join("; "),
    { resources: { memoryBytes: 64 << 20, cpus: 0.5, pidsLimit: 77, cpusetCpus: "0" } },
  );
  expect(stdout).toBe(`${64 << 20}\n${isCgroup1 ? "50000" : "50000 100000"}\n77\n0\n`);
});

test("swap, reservation and shares are", async () => {
  const { stdout } = await bundle.run(
    [
      control("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
      control("memory/memory.soft_limit_in_bytes", "memory.low"),
      control("cpu/cpu.shares", "cpu.weight"),
    ].join("; "),
    {
      resources: {
        memoryBytes: 64 << 20,
        memorySwapBytes: 96 << 20,
        memoryReservationBytes: 32 << 20,
        cpuShares: 512,
      },
    },
  );
  const [swap, reservation, shares] = stdout.trim().split("\n");
  expect(swap).toBe(String(isCgroup1 ? 96 << 20 : 32 << 20));
  expect(reservation).toBe(String(32 << 20));
  // Versions of runtimes convert shares to a weight differently. All of them give less than the default of
  // 100.
  if (isCgroup1) expect(shares).toBe("512");
  else expect(Number(shares)).toBeLessThan(100);
});

test("without a word about swap there is none", async () => {
  const { stdout } = await bundle.run(control("memory/memory.memsw.limit_in_bytes", "memory.swap.max"), {
    resources: { memoryBytes: 64 << 20 },
  });
  expect(stdout).toBe(`${isCgroup1 ? 64 << 20 : 0}\n`);
});

test("without a word about processes there may be 4096", async () => {
  const { stdout } = await bundle.run(control("pids/pids.max", "pids.max"));
  expect(stdout).toBe(`${DEFAULT_PIDS_LIMIT}\n`);
});

test("memory over the limit is a kill", async () => {
  const { exitCode } = await bundle.run("exec tail -c 200m /dev/zero", {
    resources: { memoryBytes: 16 << 20 },
  });
  expect(exitCode).toBe(137);
});

test("processes over the limit are not made", async () => {
  const { stderr, exitCode } = await bundle.run(
    "i=0; while [ $i -lt 20 ]; do sleep 9 & i=$((i+1)); done; echo all",
    {
      resources: { pidsLimit: 10 },
    },
  );
  expect(stderr).toContain("can't fork");
  expect(exitCode).not.toBe(0);
});

test("a busy loop is held to its share of a CPU, as the cgroup counts it", async () => {
  // On a busy machine the container may for a while get less than its share.
  const stat = control("cpu/cpu.stat", "cpu.stat");
  const script = `until [ "$(${stat} | grep nr_throttled | cut -d' ' -f2)" -gt 3 ]; do :; done; echo held`;
  const { stdout } = await bundle.run(`timeout 500 sh -c '${script.replaceAll("'", `'"'"'`)}'`, {
    resources: { cpus: 0.1 },
  });
  expect(stdout).toBe("held\n");
});
