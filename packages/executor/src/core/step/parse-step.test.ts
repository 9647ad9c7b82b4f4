import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExecutorError } from "../../error.js";
import { stepJsonSchema } from "./json-schema.js";
import { parseStep } from "./parse-step.js";
import type { StepInput } from "./step-input.js";

const least = { name: "s", image: "alpine" };

function issuesOf(
  input: unknown,
): readonly { field: string; message: string; allowed?: string | undefined }[] {
  try {
    parseStep(input);
  } catch (reason) {
    expect(reason).toBeInstanceOf(ExecutorError);
    expect((reason as ExecutorError).kind).toBe("invalid-step");
    return (reason as ExecutorError).issues;
  }
  return [];
}

test("the least step has every default", () => {
  expect(parseStep(least)).toMatchObject({
    name: "s",
    image: "alpine",
    command: undefined,
    env: {},
    volumes: [],
    network: "none",
    pull: "if-not-present",
    user: undefined,
    timeoutMs: undefined,
    retry: { attempts: 1 },
  });
});

test("a retry has its defaults, and never repeats an unknown outcome unless that is asked for", () => {
  expect(parseStep({ ...least, retry: { attempts: 3 } }).retry).toEqual({
    attempts: 3,
    delayMs: 1_000,
    backoff: 1,
    on: [
      ...["exit", "signal", "timeout", "oom", "log-io-failed"],
      ...["daemon-unavailable", "pull-failed", "runtime", "io"],
    ],
  });
  const retry = { attempts: 2, delay: "0ms", backoff: 1.5, on: ["unknown"] };
  expect(parseStep({ ...least, retry }).retry).toEqual({
    attempts: 2,
    delayMs: 0,
    backoff: 1.5,
    on: ["unknown"],
  });
});

test("a file's spelling and TypeScript's mean the same", () => {
  const file = {
    ...least,
    working_dir: "/w",
    containerd_addr: "/run/c.sock",
    timeout_ms: 5,
    stop_signal: "SIGRTMIN+3",
    stop_grace: "2s",
    registry_auth: { "r.io": { username: "u", password: "p" } },
  };
  const typed: StepInput = {
    ...least,
    workingDir: "/w",
    containerdAddr: "/run/c.sock",
    timeoutMs: 5,
    stopSignal: "SIGRTMIN+3",
    stopGrace: "2s",
    registryAuth: { "r.io": { username: "u", password: "p" } },
  };
  expect(parseStep(typed)).toEqual(parseStep(file));
  expect(parseStep(file)).toMatchObject({ workingDir: "/w", timeoutMs: 5, stopGraceMs: 2_000 });
});

test("people's forms become plain values", () => {
  expect(
    parseStep({
      ...least,
      run: "echo hi",
      env: ["A=1", "B=x=y"],
      volumes: ["/a:/b", "/c//:/d/:ro", { source: "/e", target: "/f", readonly: true }],
      memory: "64m",
      cpu: 0.5,
      timeout: "1m30s",
      user: 1000,
    }),
  ).toMatchObject({
    command: ["/bin/sh", "-e", "-c", "echo hi"],
    env: { A: "1", B: "x=y" },
    volumes: [
      { source: "/a", target: "/b", readonly: false },
      { source: "/c", target: "/d", readonly: true },
      { source: "/e", target: "/f", readonly: true },
    ],
    resources: { memoryBytes: 64 * 1024 ** 2, cpus: 0.5 },
    timeoutMs: 90_000,
    user: "1000",
  });
  expect(parseStep({ ...least, env: { N: 1, B: true, S: "s" } }).env).toEqual({ N: "1", B: "true", S: "s" });
});

test("isolation, identity and limits in docker's forms become plain values", () => {
  expect(
    parseStep({
      ...least,
      volumes: ["data:/data:ro", "/srv:/srv:rslave,noexec"],
      caches: ["npm:/root/.npm"],
      tmpfs: ["/tmp:size=64m,mode=1777,exec"],
      secrets: ["token", { name: "key", target: "/etc/key.pem", mask: false }],
      cap_add: ["net_admin"],
      cap_drop: ["ALL"],
      seccomp: { defaultAction: "SCMP_ACT_ALLOW" },
      devices: ["/dev/fuse:rw"],
      group_add: ["docker", 4],
      extra_hosts: ["db:10.0.0.2", "v6:[::1]"],
      ulimits: { nofile: 1024, core: { soft: 0, hard: -1 } },
      memory: "1g",
      memory_swap: -1,
      pids_limit: 100,
      device_read_bps: { "8:0": "1m" },
      hugepages: { "2MB": "64m" },
    }),
  ).toMatchObject({
    volumes: [{ source: "/srv", target: "/srv", propagation: "rslave", noexec: true, readonly: false }],
    namedVolumes: [{ name: "data", target: "/data", readonly: true }],
    caches: [{ name: "npm", target: "/root/.npm" }],
    tmpfs: [{ target: "/tmp", sizeBytes: 64 * 1024 ** 2, mode: 0o1777, noexec: false }],
    secrets: [
      { name: "token", target: "/run/secrets/token", mask: true },
      { name: "key", target: "/etc/key.pem", mask: false },
    ],
    capAdd: ["CAP_NET_ADMIN"],
    capDrop: ["ALL"],
    seccomp: { defaultAction: "SCMP_ACT_ALLOW", rules: [] },
    devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229, access: "rw" }],
    groupAdd: ["docker", 4],
    extraHosts: [
      { name: "db", address: "10.0.0.2" },
      { name: "v6", address: "::1" },
    ],
    ulimits: { nofile: { soft: 1024, hard: 1024 }, core: { soft: 0, hard: -1 } },
    resources: {
      memorySwapBytes: -1,
      pidsLimit: 100,
      blockIo: { readBytesPerSecond: [{ major: 8, minor: 0, rate: 1024 ** 2 }] },
      hugepages: [{ pageSize: "2MB", limitBytes: 64 * 1024 ** 2 }],
    },
  });
});

describe("what is refused", () => {
  test.each([
    ["name", { name: "" }],
    ["name", { name: "a b" }],
    ["name", { name: "a\n" }],
    ["name", { name: "x".repeat(65) }],
    ["image", { image: " " }],
    ["run", { run: "" }],
    ["run", { run: "a\0b" }],
    ["retry", { retry: 3 }],
    ["retry.attempts", { retry: {} }],
    ["retry.attempts", { retry: { attempts: 0 } }],
    ["retry.attempts", { retry: { attempts: 2.5 } }],
    ["retry.attempts", { retry: { attempts: 101 } }],
    ["retry.delay", { retry: { attempts: 2, delay: 5 } }],
    ["retry.delay", { retry: { attempts: 2, delay: "soon" } }],
    ["retry.backoff", { retry: { attempts: 2, backoff: 0.5 } }],
    ["retry.on", { retry: { attempts: 2, on: [] } }],
    ["retry.on[0]", { retry: { attempts: 2, on: ["aborted"] } }],
    ["retry.max", { retry: { attempts: 2, max: 3 } }],
    ["command", { command: [] }],
    ["command[1]", { command: ["a", "b\0"] }],
    ["env", { env: { "": "x" } }],
    ["env", { env: { "A=B": "x" } }],
    ["env", { env: { A: "x\0" } }],
    ["env", { env: ["A=1", "A=2"] }],
    ["env", { env: ["=x"] }],
    ["env", { env: { A: "x".repeat(128 * 1024) } }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "b" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/b/../c" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "//" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/proc" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "//proc//self" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/sys/fs" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/dev/shm" }] }],
    ["volumes[0].target", { volumes: [{ source: "/a", target: "/b\0" }] }],
    ["volumes[0].source", { volumes: [{ source: "a/b", target: "/b" }] }],
    ["volumes[0].source", { volumes: ["..:/b"] }],
    ["volumes[0].source", { volumes: [`${"a".repeat(64)}:/b`] }],
    ["volumes[0]", { volumes: [{ source: "data", target: "/b", propagation: "rslave" }] }],
    ["volumes[0].propagation", { volumes: [{ source: "/a", target: "/b", propagation: "shared" }] }],
    ["volumes[0]", { volumes: ["/a:/b:ro,suid"] }],
    ["caches", { volumes: ["/a:/b"], caches: ["npm:/b"] }],
    ["caches[0].name", { caches: ["/npm:/b"] }],
    ["tmpfs[0]", { tmpfs: ["/x:size=lots"] }],
    ["tmpfs[0]", { tmpfs: ["/x:mode=1888"] }],
    ["tmpfs[0]", { tmpfs: ["/x:uid=app"] }],
    ["tmpfs[0].uid", { tmpfs: ["/x:uid=4294967295"] }],
    ["tmpfs[0]", { tmpfs: ["/x:suid"] }],
    ["tmpfs[0]", { tmpfs: ["/x:__proto__"] }],
    ["tmpfs[0].target", { tmpfs: ["/dev/shm"] }],
    ["tmpfs", { tmpfs: ["/x", "/x/"] }],
    ["secrets[0].name", { secrets: ["../x"] }],
    ["secrets[0].target", { secrets: [{ name: "x", target: "/proc/x" }] }],
    ["secrets", { secrets: ["x", { name: "y", target: "/run/secrets/x" }] }],
    ["cap_add", { cap_add: ["NET_ADMN"] }],
    ["capDrop", { capDrop: ["x y"] }],
    ["seccomp", { seccomp: "none" }],
    ["seccomp", { seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } }],
    ["seccomp", { seccomp: { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x" } }],
    ["apparmor_profile", { apparmor_profile: "a b" }],
    ["devices[0]", { devices: ["/dev/sda"] }],
    ["devices[0]", { devices: [{ path: "/etc/x", type: "c", major: 1, minor: 3 }] }],
    ["sysctls", { sysctls: { "kernel.panic": 1 } }],
    ["sysctls", { sysctls: { "net.core.somaxconn": 1 }, network: "host" }],
    ["annotations.io.containerd.x", { annotations: { "io.containerd.x": "y" } }],
    ["labels.containerd.io/gc.root", { labels: { "containerd.io/gc.root": "x" } }],
    ["labels.io.cri-containerd.kind", { labels: { "io.cri-containerd.kind": "x" } }],
    ["labels.wfe-containerd/owner", { labels: { "wfe-containerd/owner": "x" } }],
    ["labels", { labels: { x: "y".repeat(4096) } }],
    ["hostname", { hostname: "a\nb" }],
    ["hostname", { hostname: "-a" }],
    ["extra_hosts[0].address", { extra_hosts: ["a:b"] }],
    ["extra_hosts[0].name", { extra_hosts: { "a\n": "10.0.0.1" } }],
    ["dns[0]", { dns: ["ns.example"] }],
    ["dns_search[0]", { dns_search: ["a b"] }],
    ["dns_options[0]", { dns_options: ["ndots:2\nnameserver 6.6.6.6"] }],
    ["group_add[0]", { group_add: [-1] }],
    ["memory_swap", { memory_swap: "1g" }],
    ["memory_swap", { memory: "1g", memory_swap: "512m" }],
    ["memory_reservation", { memory: "64m", memory_reservation: "128m" }],
    ["memory", { memory: "1k" }],
    ["pids_limit", { pids_limit: 0 }],
    ["cpuset_cpus", { cpuset_cpus: "all" }],
    ["cpu_shares", { cpu_shares: 1 }],
    ["blkio_weight", { blkio_weight: 5 }],
    ["device_read_bps", { device_read_bps: { "/dev/sda": "1m" } }],
    ["hugepages", { hugepages: { "2 MB": "1m" } }],
    ["ulimits.nofile", { ulimits: { nofile: { soft: 9, hard: 1 } } }],
    ["ulimits", { ulimits: { files: 1 } }],
    ["oom_score_adj", { oom_score_adj: -1001 }],
    ["volumes[0].source", { volumes: [{ source: "/a/..", target: "/b" }] }],
    ["volumes[0].source", { volumes: [{ source: "~/x", target: "/b" }] }],
    ["volumes[0].source", { volumes: ["./x:/b"] }],
    ["volumes", { volumes: ["/a:/b", "/c:/b/"] }],
    ["volumes[0]", { volumes: ["/a:/b:dev"] }],
    ["volumes[0]", { volumes: ["/a"] }],
    ["working_dir", { working_dir: "w" }],
    ["working_dir", { working_dir: "/proc/self/fd/7" }],
    ["workingDir", { workingDir: "/a/../b" }],
    ["user", { user: "4294967295" }],
    ["user", { user: "a:b:c" }],
    ["user", { user: -1 }],
    ["network", { network: "other" }],
    ["memory", { memory: "lots" }],
    ["memory", { memory: 0 }],
    ["cpu", { cpu: 0 }],
    ["stop_signal", { stop_signal: "SIGNOPE" }],
    ["stop_signal", { stop_signal: "65" }],
    ["timeout", { timeout: "30" }],
    ["timeout", { timeout: "0s" }],
    ["timeoutMs", { timeoutMs: 1.5 }],
    ["run", { run: "a", command: ["b"] }],
    ["timeout", { timeout: "1s", timeout_ms: 1 }],
    ["workingDir", { working_dir: "/a", workingDir: "/b" }],
    ["pull", { pull: "sometimes" }],
    ["tls.secret", { tls: { secret: "x" } }],
    ["tls", { tls: { ca: "/etc/shadow" } }],
  ])("%s: %j", (field, change) => {
    expect(issuesOf({ ...least, ...change }).map((issue) => issue.field)).toContain(field);
  });

  test("is said with the nearest field that there is", () => {
    expect(issuesOf({ ...least, comand: ["x"] })).toMatchObject([
      { field: "comand", message: expect.stringContaining("did you mean command?") },
    ]);
    expect(issuesOf({ ...least, zzzzzz: 1 })[0]?.message).not.toContain("did you mean");
  });

  test("is said all at once", () => {
    const fields = issuesOf({ name: "", image: "", run: "a", command: ["b"], bogus: 1 }).map(
      ({ field }) => field,
    );
    expect(fields).toEqual(expect.arrayContaining(["name", "image", "bogus"]));
  });

  test.each([[null], [undefined], [7], ["step"], [[]], [new Map()]])("%j is no step", (input) => {
    expect(issuesOf(input).length).toBeGreaterThan(0);
  });
});

test("a source may have a colon and a comma where it is a field by itself", () => {
  const volumes = [{ source: "/a:x,y", target: "/b" }];
  expect(parseStep({ ...least, volumes }).volumes).toMatchObject([{ source: "/a:x,y", target: "/b" }]);
});

test("what is wrong is said in plain words, never in those of the schema's library", () => {
  const wrong = {
    run: 5,
    image: [],
    name: null,
    env: 7,
    cpu: "fast",
    command: [],
    group_add: [{}],
    init: "yes",
    network: "wifi",
    volumes: [7, { source: "/a" }],
    ulimits: { nofile: "many" },
    labels: { "io.x": "y" },
    sysctls: { a: [] },
    registry_auth: { r: { username: "u" } },
    devices: [{ path: "/dev/x", type: "z", major: "1", minor: 2 }],
    timeout: 5,
    dns: "1.1.1.1",
    retry: { attempts: "many", on: ["never"] },
  };
  const issues = issuesOf(wrong);
  expect(issues.length).toBeGreaterThanOrEqual(Object.keys(wrong).length);
  const words = issues.map(({ message, allowed }) => `${message}; ${allowed}`).join("\n");
  expect(words).not.toMatch(
    /Invalid|expected|received|Unrecognized|Too (?:small|big)|nonoptional|undefined\b.*input/,
  );
  expect(issuesOf({})).toEqual(
    expect.arrayContaining([
      {
        field: "image",
        message: "image is missing; give the image to run in, for example image: alpine:3.20",
      },
      { field: "name", message: "name is missing; give the step a name, for example name: build" },
    ]),
  );
});

test("a password is in no error", () => {
  const secret = "hunter2-very-secret";
  const issues = issuesOf({
    ...least,
    registry_auth: { "r.io": { username: "u", password: [secret] } },
    env: { "": secret },
  });
  expect(issues.length).toBeGreaterThan(0);
  expect(JSON.stringify(issues)).not.toContain(secret);
});

test("whatever is thrown at it, it answers with a step or with its own error", () => {
  const field = fc.constantFrom(
    "name",
    "image",
    "run",
    "command",
    "env",
    "volumes",
    "working_dir",
    "user",
    "network",
    "memory",
    "cpu",
    "timeout",
    "labels",
    "tls",
    "__proto__",
    "constructor",
  );
  const value = fc.oneof(
    fc.anything(),
    fc.string(),
    fc.array(fc.string()),
    fc.dictionary(fc.string(), fc.string()),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(field, value)), (entries) => {
      const input = { ...least };
      for (const [key, entry] of entries)
        Object.defineProperty(input, key, { value: entry, enumerable: true, configurable: true });
      issuesOf(input);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test("the JSON Schema speaks of every field", () => {
  const schema = stepJsonSchema() as {
    properties: Record<string, unknown>;
    required: string[];
    additionalProperties: boolean;
  };
  expect(schema.required).toEqual(["name", "image"]);
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(["run", "command", "env", "volumes", "working_dir", "timeout", "memory"]),
  );
});
