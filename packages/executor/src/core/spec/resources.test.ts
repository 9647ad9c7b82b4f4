import { expect, test } from "vitest";
import { createResources, type ResourceLimits } from "./resources.js";
import { createDefaultUlimits, createRlimits } from "./rlimits.js";
import { createSysctls, type SysctlOptions } from "./sysctls.js";

test("without limits there is one on processes", () => {
  expect(createResources({}, [])).toEqual({ devices: [], pids: { limit: 4096 } });
});

test("limits become controls", () => {
  expect(
    createResources(
      {
        memoryBytes: 64 << 20,
        memoryReservationBytes: 32 << 20,
        cpus: 1.5,
        cpuShares: 512,
        cpusetCpus: "0-3,7",
        cpusetMems: "0",
        pidsLimit: 10,
        blockIo: { weight: 100, readBytesPerSecond: [{ major: 8, minor: 0, rate: 1000 }] },
        hugepages: [{ pageSize: "2MB", limitBytes: 0 }],
      },
      [],
    ),
  ).toEqual({
    devices: [],
    memory: { limit: 64 << 20, reservation: 32 << 20, swap: 64 << 20 },
    cpu: { quota: 150_000, period: 100_000, shares: 512, cpus: "0-3,7", mems: "0" },
    pids: { limit: 10 },
    blockIO: { weight: 100, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
  });
});

test("swap is memory and swap together; any amount is no control at all", () => {
  expect(createResources({ memoryBytes: 64 << 20, memorySwapBytes: 96 << 20 }, []).memory?.swap).toBe(
    96 << 20,
  );
  expect(createResources({ memoryBytes: 64 << 20, memorySwapBytes: -1 }, []).memory).toEqual({
    limit: 64 << 20,
  });
});

test("any number of processes is -1", () => {
  expect(createResources({ pidsLimit: -1 }, []).pids).toEqual({ limit: -1 });
});

test.each<[ResourceLimits, string]>([
  [{ memoryBytes: 1 << 20 }, "memory"],
  [{ memoryBytes: 1e8 + 0.5 }, "memory"],
  [{ memorySwapBytes: 64 << 20 }, "memory_swap"],
  [{ memoryBytes: 64 << 20, memorySwapBytes: 32 << 20 }, "memory_swap"],
  [{ memoryBytes: 64 << 20, memoryReservationBytes: 65 << 20 }, "memory_reservation"],
  [{ cpus: 0 }, "cpu"],
  [{ cpus: -1 }, "cpu"],
  [{ cpus: Number.NaN }, "cpu"],
  [{ cpuShares: 1 }, "cpu_shares"],
  [{ cpusetCpus: "0-" }, "cpuset_cpus"],
  [{ cpusetCpus: "0\n1" }, "cpuset_cpus"],
  [{ cpusetMems: "all" }, "cpuset_mems"],
  [{ pidsLimit: 0 }, "pids_limit"],
  [{ pidsLimit: 1.5 }, "pids_limit"],
  [{ blockIo: { weight: 5 } }, "blkio_weight"],
  [{ hugepages: [{ pageSize: "2mb/../x", limitBytes: 1 }] }, "hugepages"],
])("%j is refused", (limits, field) => {
  expect(() => createResources(limits, [])).toThrow(new RegExp(`^${field}: .*; allowed: `));
});

test("ulimits are named as docker names them", () => {
  expect(createRlimits({ nofile: { soft: 1024, hard: 4096 }, core: { soft: 0, hard: 0 } })).toEqual([
    { type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 },
    { type: "RLIMIT_CORE", soft: 0, hard: 0 },
  ]);
});

test("an unlimited one is the kernel's own number for that", () => {
  expect(createRlimits({ nofile: { soft: 10, hard: -1 } })).toEqual([
    { type: "RLIMIT_NOFILE", soft: 10, hard: 18446744073709551615n },
  ]);
});

test.each([
  [{ nofiles: { soft: 1, hard: 1 } }, "did you mean nofile?"],
  [{ nofile: { soft: 2, hard: 1 } }, "soft 2 is above hard 1"],
  [{ nofile: { soft: -1, hard: 1 } }, "soft -1 is above hard 1"],
  [{ nofile: { soft: 0, hard: -2 } }, "-2 is not a valid limit"],
  [{ nofile: { soft: 0.5, hard: 1 } }, "0.5 is not a valid limit"],
])("%j is refused", (ulimits, message) => {
  expect(() => createRlimits(ulimits)).toThrow(message);
});

test("kernel parameters of own namespaces are taken", () => {
  const sysctls = { "net.ipv4.ip_forward": "1", "kernel.shmmax": "5", "fs.mqueue.msg_max": "20" };
  expect(createSysctls(sysctls, { network: "none" })).toMatchObject(sysctls);
});

test.each([
  "kernel.core_pattern",
  "kernel.msgmax2",
  "vm.swappiness",
  "fs.file-max",
  "net/../kernel/x",
  "net",
  "kernel.hostname",
])("%s is the host's and refused", (name) => {
  expect(() => createSysctls({ [name]: "1" }, { network: "none" })).toThrow(/^sysctls: /);
});

test("network parameters need a network of one's own", () => {
  expect(() => createSysctls({ "net.core.somaxconn": "1" }, { network: "host" })).toThrow(
    "net.core.somaxconn would change the network of the daemon's machine",
  );
  expect(() => createSysctls({ "kernel.shmmax": "1\n2" }, { network: "none" })).toThrow("line break");
});

const PORTS = "net.ipv4.ip_unprivileged_port_start";
const PING = "net.ipv4.ping_group_range";

test.each<[string, SysctlOptions, Record<string, string>, Record<string, string>]>([
  [
    "as docker",
    { network: "none", daemonInUserNamespace: false },
    {},
    { [PORTS]: "0", [PING]: "0 2147483647" },
  ],
  [
    "on a bridge, too",
    { network: "bridge", daemonInUserNamespace: false },
    {},
    { [PORTS]: "0", [PING]: "0 2147483647" },
  ],
  ["not the host's network", { network: "host", daemonInUserNamespace: false }, {}, {}],
  ["not one that exists", { network: { path: "/x" }, daemonInUserNamespace: false }, {}, {}],
  [
    "gids that a rootless daemon has",
    { network: "none", daemonInUserNamespace: true },
    {},
    { [PORTS]: "0", [PING]: "0 65535" },
  ],
  ["the same where it is not known", { network: "none" }, {}, { [PORTS]: "0", [PING]: "0 65535" }],
  [
    "gids of the step's user namespace",
    { network: "none", mappedGids: 1000 },
    {},
    { [PORTS]: "0", [PING]: "0 999" },
  ],
  ["not on a kernel before 4.11", { network: "none", kernelVersion: "4.10.3" }, {}, { [PING]: "0 65535" }],
  ["but on 4.11", { network: "none", kernelVersion: "4.11.0-x" }, {}, { [PORTS]: "0", [PING]: "0 65535" }],
  [
    "the step's own value",
    { network: "none" },
    { [PORTS]: "80", [PING]: "1 0" },
    { [PORTS]: "80", [PING]: "1 0" },
  ],
  [
    "however it is spelt",
    { network: "none" },
    { "net.ipv4/ip_unprivileged_port_start": "80" },
    { "net.ipv4/ip_unprivileged_port_start": "80", [PING]: "0 65535" },
  ],
])("ports below 1024 and pings: %s", (_, options, given, expected) => {
  expect(createSysctls(given, options)).toEqual(expected);
});

test.each([
  [undefined, { soft: 65_536, hard: 524_288 }],
  [1_048_576, { soft: 65_536, hard: 524_288 }],
  [100_000, { soft: 65_536, hard: 100_000 }],
  [20_000, { soft: 20_000, hard: 20_000 }],
])("open files, of a daemon that may have %j at most", (maximum, nofile) => {
  expect(createDefaultUlimits(maximum)).toEqual({ nofile });
});
