import { requireThat } from "../refuse.js";
import { type CapabilityOptions, createCapabilities } from "./capabilities.js";
import { createDeviceRules, createDevices, type StepDevice } from "./devices.js";
import { checkExecSize } from "./exec-size.js";
import { createMounts, type StepMount } from "./mounts.js";
import { createNamespaces, type Network, type UserNamespace } from "./namespaces.js";
import { createGuardedPaths } from "./paths.js";
import { createResources, type ResourceLimits } from "./resources.js";
import { createDefaultUlimits, createRlimits, type Ulimit } from "./rlimits.js";
import { createSeccomp, type SeccompProfile } from "./seccomp.js";
import { DEFAULT_SECCOMP_PROFILE } from "./seccomp-default.js";
import type { Hooks, IdMapping, Linux, LinuxCapabilities, Process, Spec } from "./spec.js";
import { createSysctls } from "./sysctls.js";
import { createUser, type ProcessUser } from "./user.js";

/** What a spec depends on, of the machine that the daemon runs on. What is not known is taken for the least. */
export interface SpecHost {
  readonly platform: { readonly os: string; readonly architecture: string };
  /** As uname(2) prints it. */
  readonly kernelVersion?: string | undefined;
  /** How many CPUs it may have. Default 64. */
  readonly cpuCount?: number | undefined;
  /** Whether the kernel has cgroup namespaces (4.6). Default `true`. */
  readonly cgroupNamespace?: boolean | undefined;
  /** The capabilities that the daemon itself holds: a runtime fails when told to give others. Default: every one. */
  readonly capabilities?: readonly string[] | undefined;
  /** The least out-of-memory score that it gives to a process, where that is above 0. */
  readonly minimumOomScoreAdj?: number | undefined;
  /** Whether the daemon is in a user namespace (rootless); undefined when that is not known. */
  readonly inUserNamespace?: boolean | undefined;
  /** The hard limit of open files that the daemon has, where it may not raise it. */
  readonly maximumOpenFiles?: number | undefined;
  /** Whether its kernel confines by AppArmor; undefined when that is not known. */
  readonly appArmor?: boolean | undefined;
  /** The profile there for steps that name none, if one is loaded. */
  readonly defaultAppArmorProfile?: string | undefined;
}

/** Everything that a spec is made of, as plain values. Only `id`, `namespace`, `args`, `env`, `user` and `host` must be said. */
export interface SpecInput {
  /** The container's. */
  readonly id: string;
  /** containerd's. */
  readonly namespace: string;
  readonly host: SpecHost;
  /** Whole: see `composeArgs`. */
  readonly args: readonly string[];
  /** `NAME=value`, whole: see `composeEnvironment`. */
  readonly env: readonly string[];
  /** Absolute; see `composeCwd`. Default `/`. */
  readonly cwd?: string | undefined;
  readonly user: ProcessUser;
  readonly terminal?: boolean | undefined;
  /**
   * A static `tini`, `catatonit` or their like on the daemon's host: it becomes process 1, reaps what is orphaned, and passes signals
   * on to the step's program. Default: that program is process 1 itself.
   */
  readonly init?: string | undefined;
  /** Default: the id, cut to the 63 characters that a host name may have. */
  readonly hostname?: string | undefined;

  /** Every capability and device, no seccomp, nothing masked, `/sys` writable, no-new-privileges off. Default `false`. */
  readonly privileged?: boolean | undefined;
  readonly capabilities?: Pick<CapabilityOptions, "add" | "drop"> | undefined;
  /** Default `true`, unless privileged. */
  readonly noNewPrivileges?: boolean | undefined;
  /** Default: docker's; none when privileged. */
  readonly seccomp?: SeccompProfile | "unconfined" | undefined;
  /** The name of a profile that the daemon's host has loaded, or `unconfined`. Default: the host's for containers; none when privileged. */
  readonly apparmorProfile?: string | undefined;

  /** Default `none`. */
  readonly network?: Network | undefined;
  readonly userNamespace?: UserNamespace | undefined;
  readonly mounts?: readonly StepMount[] | undefined;
  /** Which no other of them may cover. */
  readonly topMounts?: readonly StepMount[] | undefined;
  readonly devices?: readonly StepDevice[] | undefined;
  readonly shmSizeBytes?: number | undefined;
  readonly readonlyRootfs?: boolean | undefined;

  readonly resources?: ResourceLimits | undefined;
  readonly ulimits?: Readonly<Record<string, Ulimit>> | undefined;
  /** Whether limits that `ulimits` does not name have defaults of ours, not the daemon's own. Default `true`. */
  readonly defaultUlimits?: boolean | undefined;
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
  /** -1000 to 1000; below the shim's own needs CAP_SYS_RESOURCE there. Default: 0, or what the daemon can give. */
  readonly oomScoreAdj?: number | undefined;
  readonly hooks?: Hooks | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What the fields used here need; a later one is refused by older runtimes. */
const OCI_VERSION = "1.0.2";

/**
 * The OCI runtime spec of a container for Linux, tight by default: see {@link SpecInput} for each default.
 *
 * @throws ExecutorError `refused` for values that cannot be, each named as a step file names it.
 */
export function createSpec(input: SpecInput): Spec {
  const { privileged = false, network = "none", hostname = toHostname(input.id) } = input;
  return {
    ociVersion: OCI_VERSION,
    process: createProcess(input, privileged),
    root: { path: "rootfs", readonly: input.readonlyRootfs ?? false },
    hostname,
    mounts: createMounts({
      mounts: [...initMounts(input.init), ...(input.mounts ?? [])],
      topMounts: input.topMounts,
      shmSizeBytes: input.shmSizeBytes,
      privileged,
      kernelVersion: input.host.kernelVersion,
    }),
    ...(input.hooks === undefined ? {} : { hooks: input.hooks }),
    ...(input.annotations === undefined ? {} : { annotations: { ...input.annotations } }),
    linux: createLinux(input, privileged, network),
  };
}

/** In `/dev`, which is a tmpfs: the root file system need not be written to. */
export const INIT_TARGET = "/dev/init";

function initMounts(source: string | undefined): StepMount[] {
  return source === undefined ? [] : [{ type: "bind", source, target: INIT_TARGET, readonly: true }];
}

function createProcess(input: SpecInput, privileged: boolean): Process {
  const { user, noNewPrivileges = !privileged, ulimits = {} } = input;
  const args = input.init === undefined ? [...input.args] : [INIT_TARGET, "--", ...input.args];
  const stack = ulimits["stack"]?.soft;
  checkExecSize(args, input.env, stack === -1 ? undefined : stack);
  return {
    terminal: input.terminal ?? false,
    user: createUser(user),
    args,
    env: [...input.env],
    cwd: input.cwd ?? "/",
    capabilities: capabilitiesOf(input),
    rlimits: createRlimits({ ...defaultUlimits(input), ...ulimits }),
    noNewPrivileges,
    ...createAppArmor(input),
    // Without one the shim's would be inherited, and daemons are often told to be killed last.
    oomScoreAdj: input.oomScoreAdj ?? input.host.minimumOomScoreAdj ?? 0,
  };
}

function defaultUlimits({ host, defaultUlimits: isWanted = true }: SpecInput): Record<string, Ulimit> {
  return isWanted ? createDefaultUlimits(host.maximumOpenFiles) : {};
}

function createAppArmor({
  privileged = false,
  host,
  apparmorProfile = privileged ? undefined : host.defaultAppArmorProfile,
}: SpecInput): Pick<Process, "apparmorProfile"> {
  // A runtime fails where it is told of any profile, and there is no AppArmor.
  if (apparmorProfile === undefined || (apparmorProfile === "unconfined" && host.appArmor === false))
    return {};
  requireThat(
    host.appArmor !== false,
    "apparmor_profile",
    `the daemon's machine has no AppArmor, which the profile ${JSON.stringify(apparmorProfile)} needs`,
    "unconfined, or leave the field out",
  );
  return { apparmorProfile };
}

function createLinux(input: SpecInput, privileged: boolean, network: Network): Linux {
  const { host, userNamespace, devices = [], sysctls = {} } = input;
  const seccomp = input.seccomp ?? (privileged ? "unconfined" : DEFAULT_SECCOMP_PROFILE);
  return {
    namespaces: createNamespaces({ network, userNamespace, cgroupNamespace: host.cgroupNamespace }),
    ...(userNamespace === undefined
      ? {}
      : { uidMappings: [...userNamespace.uidMappings], gidMappings: [...userNamespace.gidMappings] }),
    devices: createDevices(devices),
    cgroupsPath: `/${input.namespace}/${input.id}`,
    resources: createResources(input.resources ?? {}, createDeviceRules(devices, privileged), host.cpuCount),
    sysctl: createSysctls(sysctls, {
      network,
      mappedGids: userNamespace && countIds(userNamespace.gidMappings),
      daemonInUserNamespace: host.inUserNamespace,
      kernelVersion: host.kernelVersion,
    }),
    ...(seccomp === "unconfined"
      ? {}
      : {
          seccomp: createSeccomp(seccomp, {
            capabilities: capabilitiesOf(input).bounding,
            architecture: host.platform.architecture,
            kernelVersion: host.kernelVersion,
          }),
        }),
    ...createGuardedPaths({ privileged, cpuCount: host.cpuCount }),
  };
}

/** How many ids from 0 on are mapped without a gap. */
function countIds(mappings: readonly IdMapping[]): number {
  let count = 0;
  for (const { containerID, size } of mappings.toSorted((a, b) => a.containerID - b.containerID))
    if (containerID === count) count += size;
  return count;
}

function capabilitiesOf({
  user,
  privileged = false,
  noNewPrivileges = !privileged,
  capabilities,
  host,
}: SpecInput): LinuxCapabilities {
  return createCapabilities({
    ...capabilities,
    uid: user.uid,
    privileged,
    newPrivileges: !noNewPrivileges,
    available: host.capabilities,
  });
}

/** A host name from an id: at most 63 characters, with no dot or underscore. */
export function toHostname(id: string): string {
  return id
    .replaceAll(/[^A-Za-z0-9-]/g, "-")
    .slice(0, 63)
    .replace(/-+$/, "");
}
