import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExecutorError } from "../../error.js";
import { parseDevice } from "../spec/devices.js";
import { checkPolicy, enforcePolicy, limitStep, type PolicySubject } from "./check-policy.js";
import { DEFAULT_POLICY, type Policy, parsePolicy, UNRESTRICTED_POLICY } from "./policy.js";

describe("parsePolicy", () => {
  test("an empty one is the default", () => {
    expect(parsePolicy({})).toEqual(DEFAULT_POLICY);
  });

  test("keys are taken as files and as programs write them", () => {
    expect(parsePolicy({ host_network: true }).hostNetwork).toBe(true);
    expect(parsePolicy({ hostNetwork: true }).hostNetwork).toBe(true);
    expect(() => parsePolicy({ host_network: true, hostNetwork: false })).toThrow("given twice");
  });

  test("capabilities are brought into their one spelling", () => {
    expect(parsePolicy({ capabilities: ["net_admin", "CAP_SYS_PTRACE"] }).capabilities).toEqual([
      "CAP_NET_ADMIN",
      "CAP_SYS_PTRACE",
    ]);
    expect(() => parsePolicy({ capabilities: ["net_admn"] })).toThrow("did you mean NET_ADMIN?");
  });

  test.each([
    [{ hostnetwork: true }, "did you mean host_network?"],
    [{ privileged: "yes" }, "policy.privileged"],
    [{ mount_sources: "any" }, "policy.mount_sources"],
    [{ mount_sources: ["srv"] }, "policy.mount_sources"],
    [{ mount_sources: ["/srv/../etc"] }, "policy.mount_sources"],
    [{ seccomp: ["none"] }, "policy.seccomp"],
    [{ devices: ["/tmp/x"] }, "policy.devices"],
    [{ log_uris: ["file"] }, "has the unknown key"],
    [{ ulimits: ["CORE"] }, "policy.ulimits"],
    [{ registries: ["https://x"] }, "policy.registries"],
    [{ maximum_timeout_ms: 0 }, "policy.maximum_timeout_ms"],
    [{ maximum_pids: 1.5 }, "policy.maximum_pids"],
    [{ __proto_: 1 }, "has the unknown key"],
    [null, "is not an object"],
    [[], "is not an object"],
    ["privileged", "is not an object"],
  ])("refuses %j", (input, message) => {
    expect(() => parsePolicy(input)).toThrow(message);
  });

  test("anything is read or refused", () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        try {
          parsePolicy(input);
        } catch (error) {
          expect(error).toBeInstanceOf(ExecutorError);
        }
      }),
    );
  });
});

/** A step, the field that the default policy refuses, and a policy that allows it. */
const CASES: [step: PolicySubject, field: string, policy: Partial<Policy>][] = [
  [{ privileged: true }, "privileged", { privileged: true }],
  [{ network: "host" }, "network", { hostNetwork: true }],
  [{ volumes: [{ source: "/srv/x" }] }, "volumes[0].source", { mountSources: ["/srv"] }],
  [{ volumes: [{ source: "/srv/x" }] }, "volumes[0].source", { mountSources: "ordinary" }],
  [{ capAdd: ["net_admin"] }, "cap_add", { capabilities: ["CAP_NET_ADMIN"] }],
  [{ capAdd: ["ALL"] }, "cap_add", { capabilities: ["ALL"] }],
  [{ seccomp: "unconfined" }, "seccomp", { seccomp: ["unconfined"] }],
  [{ seccomp: {} }, "seccomp", { seccomp: ["profile"] }],
  [{ apparmorProfile: "unconfined" }, "apparmor_profile", { apparmorProfiles: ["unconfined"] }],
  [{ noNewPrivileges: false }, "no_new_privileges", { newPrivileges: true }],
  [{ devices: [parseDevice("/dev/fuse")] }, "devices", { devices: ["/dev/fuse"] }],
  [{ devices: [parseDevice("/dev/fuse:/dev/kvm")] }, "devices", { devices: ["c 10:229"] }],
  [{ network: "bridge" }, "network", { bridgeNetwork: true }],
  [{ namedVolumes: [{ name: "data" }] }, "volumes", { volumes: ["data"] }],
  [{ caches: [{ name: "npm" }] }, "caches", { volumes: "any" }],
  [{ containerdAddr: "tcp://10.0.0.1:2500" }, "containerd_addr", { addresses: ["tcp://10.0.0.1:2500"] }],
  [{ sysctls: { "net.core.somaxconn": "1" } }, "sysctls", { sysctls: ["net.*"] }],
  [{ user: "image" }, "user", { imageUser: true }],
  [{ annotations: { "run.oci.x": "1" } }, "annotations", { annotations: ["run.oci.x"] }],
  [{ oomScoreAdj: -5 }, "oom_score_adj", { minimumOomScoreAdj: -100 }],
  [{ ulimits: { rtprio: { soft: 0, hard: 1 } } }, "ulimits.rtprio", { ulimits: ["rtprio"] }],
  [{ ulimits: { nice: { soft: 21, hard: 21 } } }, "ulimits.nice", { ulimits: ["nice"] }],
  [{ ulimits: { memlock: { soft: -1, hard: -1 } } }, "ulimits.memlock", { ulimits: "any" }],
  [{ stopGraceMs: 60_001 }, "stop_grace", { maximumStopGraceMs: 60_001 }],
  [{ resources: { pidsLimit: -1 } }, "pids_limit", { maximumPids: -1 }],
  [{ resources: { pidsLimit: 5000 } }, "pids_limit", { maximumPids: 5000 }],
];

describe("checkPolicy", () => {
  test.each(CASES)(
    "%j is refused, and allowed by the key that the refusal names",
    (step, field, allowing) => {
      const refusals = checkPolicy(step, DEFAULT_POLICY);
      expect(refusals.map((refusal) => refusal.field)).toEqual([field]);
      const policy = parsePolicy({ [refusals[0]?.policyKey ?? ""]: Object.values(allowing)[0] });
      expect(policy).toEqual({ ...DEFAULT_POLICY, ...allowing });
      expect(checkPolicy(step, policy)).toEqual([]);
    },
  );

  test("only so many attempts may be asked for as the policy allows", () => {
    const policy = parsePolicy({ maximum_attempts: 3 });
    expect(checkPolicy({ retry: { attempts: 3 } }, policy)).toEqual([]);
    expect(checkPolicy({ retry: { attempts: 100 } }, DEFAULT_POLICY)).toEqual([]);
    expect(checkPolicy({ retry: { attempts: 4 } }, policy)).toEqual([
      { field: "retry", message: "4 is above 3", policyKey: "maximum_attempts" },
    ]);
  });

  test("a step that asks for nothing may run; so may root, and root's own capabilities by name", () => {
    expect(checkPolicy({}, DEFAULT_POLICY)).toEqual([]);
    expect(
      checkPolicy({ user: "0", capAdd: ["CHOWN", "cap_kill"], network: "none" }, DEFAULT_POLICY),
    ).toEqual([]);
    const step = { oomScoreAdj: 500, resources: { pidsLimit: 100 }, noNewPrivileges: true };
    expect(checkPolicy(step, DEFAULT_POLICY)).toEqual([]);
  });

  test("a device is known by its numbers, not by what the step calls it", () => {
    const disk = { path: "/dev/fuse", type: "b", major: 8, minor: 0 } as const;
    expect(checkPolicy({ devices: [disk] }, { ...DEFAULT_POLICY, devices: ["/dev/fuse"] })).toHaveLength(1);
  });

  test.each(CASES)("%j: the unrestricted policy allows it", (step) => {
    expect(checkPolicy(step, UNRESTRICTED_POLICY)).toEqual([]);
  });

  test("limits that hold back, and those that services have anyway, are no policy's matter", () => {
    const same = (limit: number) => ({ soft: limit, hard: limit });
    const ulimits = {
      nofile: same(1_048_576),
      core: same(-1),
      stack: same(-1),
      nproc: same(-1),
      memlock: same(65_536),
      rtprio: same(0),
      nice: same(20),
    };
    expect(checkPolicy({ ulimits }, DEFAULT_POLICY)).toEqual([]);
    expect(checkPolicy({ ulimits: { nofile: same(1_048_577) } }, DEFAULT_POLICY)).toHaveLength(1);
  });

  test("of memory and time there is any until the policy has a limit, which is then that of a step without one", () => {
    const step = (memoryBytes?: number, memorySwapBytes?: number, timeoutMs?: number) => ({
      resources: { memoryBytes, memorySwapBytes },
      timeoutMs,
    });
    expect(checkPolicy(step(2 ** 50, -1, 2 ** 50), DEFAULT_POLICY)).toEqual([]);
    expect(limitStep(step(), DEFAULT_POLICY)).toEqual(step());
    const policy = parsePolicy({ maximum_memory_bytes: 100, maximum_timeout_ms: 10 });
    const fieldsOf = (subject: PolicySubject) => checkPolicy(subject, policy).map(({ field }) => field);
    expect(fieldsOf(step(100, 100, 10))).toEqual([]);
    expect(fieldsOf(step(101, 102, 11))).toEqual(["memory", "memory_swap", "timeout"]);
    expect(fieldsOf(step(100, -1))).toEqual(["memory_swap"]);
    expect(limitStep(step(), policy)).toEqual(step(100, undefined, 10));
    expect(limitStep(step(50, 60, 5), policy)).toEqual(step(50, 60, 5));
  });

  test("registries are all allowed until some are named", () => {
    expect(checkPolicy({ registry: "docker.io" }, DEFAULT_POLICY)).toEqual([]);
    const policy = { ...DEFAULT_POLICY, registries: ["registry.example:5000"] };
    expect(checkPolicy({ registry: "registry.example:5000" }, policy)).toEqual([]);
    expect(checkPolicy({ registry: "docker.io" }, policy)[0]?.policyKey).toBe("registries");
  });

  test("what no policy allows is said to be so", () => {
    const step = { volumes: [{ source: "/srv/data" }, { source: "/run/containerd/containerd.sock" }] };
    const refusals = checkPolicy(step, { ...DEFAULT_POLICY, mountSources: ["/"] });
    expect(refusals).toEqual([
      {
        field: "volumes[1].source",
        message: '"/run/containerd/containerd.sock" is the socket of a container runtime',
        policyKey: undefined,
      },
    ]);
  });

  test("one error lists everything", () => {
    const step = { privileged: true, network: "host", volumes: [{ source: "/etc" }] };
    expect(() => enforcePolicy(step, DEFAULT_POLICY)).toThrow(
      "the policy refuses the step: " +
        "privileged: a privileged step can control the daemon's machine; allowed: by the policy's privileged; " +
        "network: host gives the step the network of the daemon's machine; allowed: by the policy's host_network; " +
        'volumes[0].source: "/etc" contains the accounts and keys of the daemon\'s machine; allowed: by no policy',
    );
    expect(() => enforcePolicy({}, DEFAULT_POLICY)).not.toThrow();
  });
});
