import { type FuzzTarget, feedLong, fuzz } from "@wfe-containerd/test-infra/fuzz";
import { describe, test } from "vitest";
import { isExecutorError } from "../error.js";
import { createOutputParser } from "./output/output-line.js";
import { toVariables } from "./output/workflow-data.js";
import { enforcePolicy } from "./policy/check-policy.js";
import { checkMountSource } from "./policy/mount-source.js";
import { parsePolicy, UNRESTRICTED_POLICY } from "./policy/policy.js";
import { parseCapabilities } from "./spec/capabilities.js";
import { parseDevice } from "./spec/devices.js";
import { composeCwd, composeEnvironment } from "./spec/process.js";
import { parseSeccompProfile } from "./spec/seccomp-parse.js";
import { parseStep } from "./step/parse-step.js";
import { parseDuration } from "./units/duration.js";
import { parseSize } from "./units/size.js";
import { parseUser, resolveUser } from "./user/user.js";

const options = { isRefusal: (reason: unknown) => isExecutorError(reason) };
const encoder = new TextEncoder();
const LEAST = { name: "s", image: "alpine" };

const FULL_STEP = {
  ...LEAST,
  command: ["a", "b"],
  env: { A: "1", B: 2 },
  working_dir: "/w",
  user: "builder:0",
  group_add: [4, "docker"],
  volumes: ["/a:/b:ro", { source: "/c", target: "/d", propagation: "rslave" }],
  caches: ["npm:/npm"],
  tmpfs: ["/t:size=1m,mode=1777"],
  secrets: ["token"],
  network: "bridge",
  hostname: "h",
  extra_hosts: { db: "10.0.0.2" },
  dns: ["1.1.1.1"],
  memory: "1g",
  memory_swap: -1,
  cpu: 0.5,
  cpuset_cpus: "0-1",
  device_read_bps: { "8:0": "1m" },
  hugepages: { "2MB": "4m" },
  ulimits: { nofile: { soft: 1, hard: 2 } },
  cap_add: ["NET_ADMIN"],
  cap_drop: ["ALL"],
  seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "SCMP_ACT_LOG" }] },
  devices: ["/dev/fuse:rw"],
  sysctls: { "net.core.somaxconn": 1 },
  annotations: { a: "b" },
  registry_auth: { "r.example": { username: "u", password: "p" } },
  containerd_addr: "https://d.example:2500",
  tls: { ca: "x" },
  timeout: "1h30m",
  labels: { a: "b" },
};

const PROFILE = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 1,
  archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
  syscalls: [
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      includes: { caps: ["CAP_SYS_ADMIN"], arches: ["x86", "arm64"], minKernel: "4.8" },
      excludes: { caps: ["CAP_BPF"] },
    },
  ],
};

/** Parses the text in two pieces, cut in the middle. */
function readOutput(text: string): unknown {
  const parser = createOutputParser();
  const bytes = encoder.encode(text);
  parser.push(bytes.subarray(0, bytes.length / 2));
  parser.push(bytes.subarray(bytes.length / 2));
  parser.end();
  return parser.outputs;
}

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "user",
    samples: ["0", "1000:1000", "builder", "name:group", "a.b@c$"],
    parse: (text: string) => parseUser(text),
  },
  {
    name: "passwd",
    samples: ["root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/:\n"],
    parse: (text: string) => resolveUser({ user: 1000 }, { passwd: encoder.encode(text) }),
  },
  {
    name: "group",
    samples: ["root:x:0:\nvideo:x:44:builder,root\nbuilder:x:1000:"],
    parse: (text: string) =>
      resolveUser(
        { user: "root" },
        { passwd: encoder.encode("root:x:0:0::/:"), group: encoder.encode(text) },
        ["video"],
      ),
  },
  { name: "size", samples: ["512m", "1.5g", "64KiB", "1024"], parse: parseSize },
  { name: "duration", samples: ["30s", "1h30m", "500ms", "1.5d"], parse: parseDuration },
  {
    name: "output line",
    samples: ["##wfe[output a=b]\n", "x\n##wfe[output a.b-c=d=]]\r\n"],
    parse: readOutput,
  },
  { name: "device", samples: ["/dev/fuse:rw", "/dev/kvm"], parse: (text: string) => parseDevice(text) },
  {
    name: "capability",
    samples: ["CAP_NET_ADMIN", "sys_time", "ALL"],
    parse: (text: string) => parseCapabilities([text], "cap_add"),
  },
  {
    name: "mount source",
    samples: ["/srv/data", "/etc", "/run/containerd/containerd.sock"],
    parse: (text: string) => [
      checkMountSource(text, { allowed: ["/srv"] }),
      checkMountSource(text, { allowed: "ordinary", forbidden: ["/srv/x"] }),
    ],
  },
  {
    name: "working directory",
    samples: ["/a/b", "/"],
    parse: (text: string) => composeCwd(text, { WorkingDir: text }),
  },
  {
    name: "env as text",
    samples: ["A=1", "LONG_name=x=y"],
    parse: (text: string) => parseStep({ ...LEAST, env: [text] }).env,
  },
  {
    name: "volume as text",
    samples: ["/a:/b", "data:/c:ro", "/a:/b:rslave,noexec"],
    parse: (text: string) => parseStep({ ...LEAST, volumes: [text] }),
  },
  {
    name: "tmpfs as text",
    samples: ["/t", "/t:size=64m,mode=1777,exec"],
    parse: (text: string) => parseStep({ ...LEAST, tmpfs: [text] }),
  },
  {
    name: "host as text",
    samples: ["db:10.0.0.2", "v6:[::1]"],
    parse: (text: string) => parseStep({ ...LEAST, extra_hosts: [text] }),
  },
  {
    name: "host name",
    samples: ["a", "a-b.example"],
    parse: (text: string) => parseStep({ ...LEAST, hostname: text }),
  },
  {
    name: "env",
    samples: [{ A: "1", B: 2, C: true }, ["A=1", "B=2"]],
    parse: (env: unknown) => composeEnvironment({ step: parseStep({ ...LEAST, env }).env, hostname: "h" }),
  },
  {
    name: "volumes",
    samples: [FULL_STEP.volumes],
    parse: (volumes: unknown) => parseStep({ ...LEAST, volumes }),
  },
  {
    name: "step",
    samples: [FULL_STEP, LEAST],
    parse: (input: unknown) => {
      const step = parseStep(input);
      enforcePolicy(step, UNRESTRICTED_POLICY);
      return step;
    },
  },
  {
    name: "policy",
    samples: [
      {
        privileged: false,
        mount_sources: ["/srv"],
        capabilities: ["NET_ADMIN"],
        seccomp: ["profile"],
        devices: ["c 10:229"],
        maximum_pids: 9,
      },
      { mountSources: "ordinary", registries: ["a.example:5000"], volumes: "any" },
    ],
    parse: parsePolicy,
  },
  {
    name: "seccomp profile",
    samples: [PROFILE, { ...PROFILE, archMap: [], architectures: ["SCMP_ARCH_X86_64"] }],
    parse: parseSeccompProfile,
  },
  {
    name: "data",
    samples: [{ "a.b": "x", n: 1, b: true, nothing: null }],
    parse: (data: never) => composeEnvironment({ data: toVariables(Object(data)) }),
  },
];

describe("nothing is thrown but refusals", () => {
  test.each(TARGETS)("$name", (target) => fuzz(target, options));
});

describe("a lot of anything comes to an end", () => {
  const texts = TARGETS.filter(({ samples }) => samples.every((sample) => typeof sample === "string"));
  test.each(texts)("$name", (target) => feedLong(target, options));
});
