import { expect, test } from "vitest";
import { createSpec, type SpecInput } from "./create-spec.js";
import { createGuardedPaths } from "./paths.js";

const INPUT: SpecInput = {
  id: "web-1",
  namespace: "default",
  host: { platform: { os: "linux", architecture: "amd64" } },
  args: ["/bin/true"],
  env: ["A=b"],
  user: { uid: 65534, gid: 65534 },
};

test("by default a step is held as tightly as can be", () => {
  const { process, linux, root } = createSpec(INPUT);
  expect(process).toEqual({
    terminal: false,
    user: { uid: 65534, gid: 65534, additionalGids: [65534] },
    args: ["/bin/true"],
    env: ["A=b"],
    cwd: "/",
    capabilities: { bounding: [], permitted: [], effective: [], inheritable: [], ambient: [] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 65_536, hard: 524_288 }],
    noNewPrivileges: true,
    oomScoreAdj: 0,
  });
  expect(root).toEqual({ path: "rootfs", readonly: false });
  expect(linux.namespaces.map(({ type }) => type)).toEqual([
    "pid",
    "ipc",
    "uts",
    "mount",
    "cgroup",
    "network",
  ]);
  expect(linux.cgroupsPath).toBe("/default/web-1");
  expect(linux.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(linux.resources.devices[0]).toEqual({ allow: false, access: "rwm" });
  expect(linux.resources.pids).toEqual({ limit: 4096 });
  expect(linux.maskedPaths).toContain("/proc/interrupts");
  expect(linux.readonlyPaths).toContain("/proc/sys");
});

test("privileged lets go of all of it", () => {
  const { process, linux } = createSpec({ ...INPUT, privileged: true, user: { uid: 0, gid: 0 } });
  expect(process.noNewPrivileges).toBe(false);
  expect(process.capabilities?.effective).toHaveLength(41);
  expect(linux.seccomp).toBeUndefined();
  expect(linux.maskedPaths).toEqual([]);
  expect(linux.readonlyPaths).toEqual([]);
});

test("privileged still keeps to what is asked for besides", () => {
  const profile = { defaultAction: "SCMP_ACT_ALLOW", architectures: {}, rules: [] };
  const { process, linux } = createSpec({
    ...INPUT,
    privileged: true,
    noNewPrivileges: true,
    seccomp: profile,
  });
  expect(process.noNewPrivileges).toBe(true);
  expect(linux.seccomp).toEqual({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [] });
});

test.each([
  ["none", [{ type: "network" }]],
  ["host", []],
  [{ path: "/run/netns/x" }, [{ type: "network", path: "/run/netns/x" }]],
] as const)("network %j", (network, expected) => {
  const { namespaces } = createSpec({ ...INPUT, network }).linux;
  expect(namespaces.filter(({ type }) => type === "network")).toEqual(expected);
});

test("a user namespace brings its mappings", () => {
  const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  const { linux } = createSpec({ ...INPUT, userNamespace: { uidMappings: mappings, gidMappings: mappings } });
  expect(linux.namespaces).toContainEqual({ type: "user" });
  expect(linux.uidMappings).toEqual(mappings);
});

test("the host name is the id, as far as one can be", () => {
  expect(createSpec(INPUT).hostname).toBe("web-1");
  expect(createSpec({ ...INPUT, id: `a_b.${"c".repeat(70)}` }).hostname).toBe(`a-b-${"c".repeat(59)}`);
  expect(createSpec({ ...INPUT, id: `${"c".repeat(62)}-x` }).hostname).toBe("c".repeat(62));
  expect(createSpec({ ...INPUT, hostname: "mine" }).hostname).toBe("mine");
});

test("an init is put before the step's arguments", () => {
  const { process, mounts } = createSpec({ ...INPUT, init: "/usr/bin/tini-static" });
  expect(process.args).toEqual(["/dev/init", "--", "/bin/true"]);
  expect(mounts).toContainEqual(
    expect.objectContaining({ source: "/usr/bin/tini-static", destination: "/dev/init" }),
  );
});

test("what is not said is not there", () => {
  const spec = createSpec(INPUT);
  expect(JSON.stringify(spec)).not.toMatch(/null|undefined/);
  expect(spec).not.toHaveProperty("hooks");
  expect(spec).not.toHaveProperty("annotations");
  expect(spec.process).not.toHaveProperty("apparmorProfile");
});

test("what is said is", () => {
  const hooks = { createRuntime: [{ path: "/bin/true" }] };
  const spec = createSpec({
    ...INPUT,
    hooks,
    annotations: { a: "b" },
    apparmorProfile: "mine",
    terminal: { columns: 80, rows: 24 },
    oomScoreAdj: 5,
    readonlyRootfs: true,
    cwd: "/w",
  });
  expect(spec).toMatchObject({ hooks, annotations: { a: "b" }, root: { readonly: true } });
  expect(spec.process).toMatchObject({
    apparmorProfile: "mine",
    terminal: true,
    consoleSize: { width: 80, height: 24 },
    oomScoreAdj: 5,
  });
});

test("each CPU's thermal counters are hidden", () => {
  const { maskedPaths } = createGuardedPaths({ cpuCount: 2 });
  expect(maskedPaths.filter((path) => path.includes("thermal"))).toEqual([
    "/sys/devices/system/cpu/cpu0/thermal_throttle",
    "/sys/devices/system/cpu/cpu1/thermal_throttle",
  ]);
});

test("AppArmor's profile is the host's for containers, unless a step names one or is privileged; none where there is no AppArmor", () => {
  const on = (host: Partial<SpecInput["host"]>, input: Partial<SpecInput> = {}): string | undefined =>
    createSpec({ ...INPUT, host: { ...INPUT.host, ...host }, ...input }).process.apparmorProfile;
  const host = { appArmor: true, defaultAppArmorProfile: "docker-default" };
  expect(on(host)).toBe("docker-default");
  expect(on(host, { apparmorProfile: "mine" })).toBe("mine");
  expect(on(host, { apparmorProfile: "unconfined" })).toBe("unconfined");
  expect(on(host, { privileged: true })).toBeUndefined();
  expect(on({}, { apparmorProfile: "unconfined" })).toBe("unconfined");
  expect(on({ appArmor: false }, { apparmorProfile: "unconfined" })).toBeUndefined();
  expect(() => on({ appArmor: false }, { apparmorProfile: "mine" })).toThrow("apparmor_profile");
});

test("a limit of the step's is instead of the default", () => {
  const limitsOf = (input: Partial<SpecInput>): unknown => createSpec({ ...INPUT, ...input }).process.rlimits;
  expect(limitsOf({ ulimits: { nofile: { soft: 5, hard: 6 }, core: { soft: 0, hard: 0 } } })).toEqual([
    { type: "RLIMIT_NOFILE", soft: 5, hard: 6 },
    { type: "RLIMIT_CORE", soft: 0, hard: 0 },
  ]);
  expect(limitsOf({ host: { ...INPUT.host, maximumOpenFiles: 20_000 } })).toEqual([
    { type: "RLIMIT_NOFILE", soft: 20_000, hard: 20_000 },
  ]);
  expect(limitsOf({ defaultUlimits: false })).toEqual([]);
});
