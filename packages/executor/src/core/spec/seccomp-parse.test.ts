import fc from "fast-check";
import { expect, test } from "vitest";
import { ExecutorError } from "../../error.js";
import { createSeccomp } from "./seccomp.js";
import { parseSeccompProfile } from "./seccomp-parse.js";

const PROFILE = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 38,
  archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
  syscalls: [
    { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
    { name: "ptrace", action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" }, comment: "why" },
    {
      names: ["mount"],
      action: "SCMP_ACT_ALLOW",
      includes: { caps: ["CAP_SYS_ADMIN"], arches: ["x86", "amd64"] },
    },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38, excludes: { caps: ["SYS_ADMIN"] } },
    {
      names: ["socket"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 40, op: "SCMP_CMP_NE" }],
    },
  ],
};

test("docker's format is read, with its conditions", () => {
  const profile = parseSeccompProfile(PROFILE);
  const facts = { capabilities: ["CAP_SYS_ADMIN"], architecture: "amd64", kernelVersion: "6.1" };
  expect(createSeccomp(profile, facts)).toEqual({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["ptrace"], action: "SCMP_ACT_ALLOW" },
      { names: ["mount"], action: "SCMP_ACT_ALLOW" },
      {
        names: ["socket"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: 40, valueTwo: 0, op: "SCMP_CMP_NE" }],
      },
    ],
  });
  const names = createSeccomp(profile, { capabilities: [], architecture: "386" }).syscalls.flatMap(
    (rule) => rule.names,
  );
  expect(names).toEqual(["read", "write", "clone3", "socket"]);
});

test("a plain list of architectures holds everywhere", () => {
  const profile = parseSeccompProfile({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_AARCH64"],
  });
  for (const architecture of ["amd64", "arm64"]) {
    expect(createSeccomp(profile, { capabilities: [], architecture }).architectures).toEqual([
      "SCMP_ARCH_AARCH64",
    ]);
  }
});

test.each<[object, string]>([
  [{}, "seccomp.defaultAction"],
  [{ ...PROFILE, defaultAction: "SCMP_ACT_NOTIFY" }, "seccomp.defaultAction"],
  [{ ...PROFILE, listenerPath: "/run/x" }, "seccomp"],
  [{ ...PROFILE, architectures: ["SCMP_ARCH_X86"] }, "seccomp"],
  [{ ...PROFILE, syscalls: {} }, "seccomp.syscalls"],
  [{ ...PROFILE, syscalls: [{ action: "SCMP_ACT_ALLOW" }] }, "seccomp.syscalls[0]"],
  [{ ...PROFILE, syscalls: [{ names: ["a b"], action: "SCMP_ACT_ALLOW" }] }, "seccomp.syscalls[0].names"],
  [{ ...PROFILE, syscalls: [{ names: ["a"], action: "ALLOW" }] }, "seccomp.syscalls[0].action"],
  [
    { ...PROFILE, syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", include: {} }] },
    "seccomp.syscalls[0]",
  ],
  [
    { ...PROFILE, syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "5" } }] },
    "seccomp.syscalls[0].includes.minKernel",
  ],
  [
    { ...PROFILE, syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", includes: { caps: ["ROOT"] } }] },
    "seccomp.syscalls[0].includes.caps",
  ],
  [
    {
      ...PROFILE,
      syscalls: [
        { names: ["a"], action: "SCMP_ACT_ALLOW", args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] },
      ],
    },
    "seccomp.syscalls[0].args[0].index",
  ],
])("%j is refused", (input, field) => {
  try {
    parseSeccompProfile(input);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ExecutorError);
    expect((error as ExecutorError).issues?.[0]?.field).toBe(field);
  }
});

test("anything is read or refused", () => {
  const nearly = fc.record(
    {
      defaultAction: fc.constantFrom("SCMP_ACT_ALLOW", "x", 1),
      archMap: fc.anything(),
      syscalls: fc.array(fc.record({ names: fc.anything(), action: fc.anything(), includes: fc.anything() })),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), nearly), (input) => {
      try {
        parseSeccompProfile(input);
      } catch (error) {
        expect(error).toBeInstanceOf(ExecutorError);
      }
    }),
  );
});

test("an architecture is never more than a name", () => {
  const syscalls = [
    { names: ["read"], action: "SCMP_ACT_ALLOW", includes: { arches: ["constructor", "x86"] } },
  ];
  const { rules } = parseSeccompProfile({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
  expect(rules[0]?.when?.architectures).toEqual(["constructor", "386"]);
});
