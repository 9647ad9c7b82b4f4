import { describe, expect, test } from "vitest";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "./capability-names.js";
import { createSeccomp, type SeccompFacts } from "./seccomp.js";
import { DEFAULT_SECCOMP_PROFILE } from "./seccomp-default.js";
import { ALLOWED_SYSCALLS } from "./seccomp-syscalls.js";

const AMD64: SeccompFacts = { capabilities: [], architecture: "amd64", kernelVersion: "6.1.0-13-amd64" };

/** Names that are allowed with any arguments. */
function allowed(facts: Partial<SeccompFacts>): Set<string> {
  const { syscalls } = createSeccomp(DEFAULT_SECCOMP_PROFILE, { ...AMD64, ...facts });
  return new Set(
    syscalls.flatMap(({ names, action, args }) =>
      action === "SCMP_ACT_ALLOW" && args === undefined ? names : [],
    ),
  );
}

test("what is not allowed fails with EPERM", () => {
  expect(createSeccomp(DEFAULT_SECCOMP_PROFILE, AMD64)).toMatchObject({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
  });
});

test("the list of what any step may call has each name once, and none of the dangerous", () => {
  expect(new Set(ALLOWED_SYSCALLS).size).toBe(ALLOWED_SYSCALLS.length);
  expect(ALLOWED_SYSCALLS.every((name) => /^[a-z0-9_]+$/.test(name))).toBe(true);
  for (const name of ["read", "execve", "openat2", "futex_waitv", "setgroups", "mseal"]) {
    expect(ALLOWED_SYSCALLS).toContain(name);
  }
  for (const name of [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "clone",
    "clone3",
    "pivot_root",
    "chroot",
    "ptrace",
    "io_uring_setup",
    "io_uring_enter",
    "keyctl",
    "add_key",
    "request_key",
    "userfaultfd",
    "bpf",
    ...[
      "kexec_load",
      "init_module",
      "reboot",
      "swapon",
      "open_by_handle_at",
      "perf_event_open",
      "socket",
      "socketcall",
    ],
  ]) {
    expect(ALLOWED_SYSCALLS).not.toContain(name);
  }
});

test.each([
  ["amd64", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]],
  ["arm64", ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]],
  ["riscv64", ["SCMP_ARCH_RISCV64"]],
  ["ppc64le", undefined],
])("the filter on %s is for %j", (architecture, architectures) => {
  expect(createSeccomp(DEFAULT_SECCOMP_PROFILE, { ...AMD64, architecture }).architectures).toEqual(
    architectures,
  );
});

describe("conditions", () => {
  test("capabilities of the bounding set open system calls", () => {
    expect(allowed({}).has("mount")).toBe(false);
    expect(allowed({ capabilities: ["CAP_SYS_ADMIN"] }).has("mount")).toBe(true);
    expect(allowed({ capabilities: DEFAULT_CAPABILITIES }).has("chroot")).toBe(true);
    expect(allowed({ capabilities: DEFAULT_CAPABILITIES }).has("mount")).toBe(false);
    expect(allowed({ capabilities: ["CAP_BPF"] }).has("bpf")).toBe(true);
    expect(allowed({ capabilities: ["CAP_SYSLOG"] }).has("syslog")).toBe(true);
  });

  test("clone makes no namespaces and clone3 does not exist, until SYS_ADMIN is there", () => {
    const { syscalls } = createSeccomp(DEFAULT_SECCOMP_PROFILE, AMD64);
    expect(syscalls.filter(({ names }) => names.includes("clone"))).toEqual([
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: 0x7e020000, valueTwo: 0 }],
      },
    ]);
    expect(syscalls.filter(({ names }) => names.includes("clone3"))).toEqual([
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ]);
    const admin = allowed({ capabilities: CAPABILITIES });
    expect(admin.has("clone")).toBe(true);
    expect(admin.has("clone3")).toBe(true);
  });

  test("on s390x clone's flags are its second argument", () => {
    const { syscalls } = createSeccomp(DEFAULT_SECCOMP_PROFILE, { ...AMD64, architecture: "s390x" });
    const rules = syscalls.filter(({ names }) => names.includes("clone"));
    expect(rules.map(({ args }) => args?.[0]?.index)).toEqual([1]);
  });

  test("ptrace needs a kernel of 4.8 or later; an unknown one is not", () => {
    expect(allowed({ kernelVersion: "4.8.0" }).has("ptrace")).toBe(true);
    expect(allowed({ kernelVersion: "10.0" }).has("ptrace")).toBe(true);
    expect(allowed({ kernelVersion: "4.7.10-generic" }).has("ptrace")).toBe(false);
    expect(allowed({ kernelVersion: "3.10" }).has("ptrace")).toBe(false);
    expect(allowed({ kernelVersion: undefined }).has("ptrace")).toBe(false);
    expect(allowed({ kernelVersion: "what" }).has("ptrace")).toBe(false);
    expect(allowed({ kernelVersion: undefined, capabilities: ["CAP_SYS_PTRACE"] }).has("ptrace")).toBe(true);
  });

  test("some calls are one architecture's own", () => {
    expect(allowed({}).has("arch_prctl")).toBe(true);
    expect(allowed({ architecture: "arm64" }).has("arch_prctl")).toBe(false);
    expect(allowed({ architecture: "arm64" }).has("cacheflush")).toBe(true);
    expect(allowed({ architecture: "riscv64" }).has("riscv_flush_icache")).toBe(true);
  });

  test("an exception by kernel or architecture takes a rule out", () => {
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: {},
      rules: [
        { syscalls: ["a"], action: "SCMP_ACT_ERRNO", unless: { kernel: [5, 4] as const } },
        { syscalls: ["b"], action: "SCMP_ACT_ERRNO", unless: { architectures: ["amd64"] } },
      ],
    };
    const names = (facts: Partial<SeccompFacts>): string[] =>
      createSeccomp(profile, { ...AMD64, ...facts }).syscalls.flatMap((rule) => rule.names);
    expect(names({})).toEqual([]);
    expect(names({ kernelVersion: "5.3" })).toEqual(["a"]);
    expect(names({ kernelVersion: undefined, architecture: "arm64" })).toEqual(["a", "b"]);
  });
});

describe("sockets", () => {
  /** Whether the rules allow a family. It compares as a filter does. */
  function isAllowed(family: bigint): boolean {
    return createSeccomp(DEFAULT_SECCOMP_PROFILE, { ...AMD64, capabilities: CAPABILITIES })
      .syscalls.filter(({ names }) => names.includes("socket"))
      .some(({ args = [] }) =>
        args.every(({ op, value }) =>
          op === "SCMP_CMP_LT" ? family < BigInt(value) : family === BigInt(value),
        ),
      );
  }

  test("of every family there is, but AF_ALG and AF_VSOCK", () => {
    const refused = Array.from({ length: 60 }, (_, family) => family).filter(
      (family) => !isAllowed(BigInt(family)),
    );
    expect(refused).toEqual([38, 40, ...Array.from({ length: 14 }, (_, i) => 46 + i)]);
  });

  test("no bits above the 32 that the kernel looks at", () => {
    for (const family of [2n, 38n, 40n]) expect(isAllowed((1n << 32n) + family)).toBe(false);
  });

  test("socketcall fails on amd64 and works where it is the machine's own way", () => {
    const rule = (architecture: string): object | undefined =>
      createSeccomp(DEFAULT_SECCOMP_PROFILE, { ...AMD64, architecture }).syscalls.find(({ names }) =>
        names.includes("socketcall"),
      );
    expect(rule("amd64")).toEqual({ names: ["socketcall"], action: "SCMP_ACT_ERRNO", errnoRet: 38 });
    expect(rule("386")).toEqual({ names: ["socketcall"], action: "SCMP_ACT_ALLOW" });
    expect(rule("s390x")).toEqual({ names: ["socketcall"], action: "SCMP_ACT_ALLOW" });
  });
});
