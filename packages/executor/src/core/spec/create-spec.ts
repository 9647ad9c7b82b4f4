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
import type { TerminalSize } from "./terminal.js";
import { createUser, type ProcessUser } from "./user.js";

/**
 * Facts about the daemon's machine that a spec depends on. For an unknown fact, the spec assumes the least.
 */
export interface SpecHost {
  readonly platform: { readonly os: string; readonly architecture: string };
  /** Kernel release, as uname(2) prints it. */
  readonly kernelVersion?: string | undefined;
  /** How many CPUs the machine may have. Default 64. */
  readonly cpuCount?: number | undefined;
  /** Whether the kernel has cgroup namespaces (4.6 and later). Default `true`. */
  readonly cgroupNamespace?: boolean | undefined;
  /**
   * The capabilities of the daemon itself. A runtime fails if it is told to give others. Default: every
   * capability.
   */
  readonly capabilities?: readonly string[] | undefined;
  /** The lowest out-of-memory score that the daemon can give to a process, if that is above 0. */
  readonly minimumOomScoreAdj?: number | undefined;
  /** Whether the daemon runs in a user namespace (rootless); undefined if unknown. */
  readonly inUserNamespace?: boolean | undefined;
  /** The daemon's hard limit of open files, if the daemon cannot raise it. */
  readonly maximumOpenFiles?: number | undefined;
  /** Whether the kernel confines by AppArmor; undefined if unknown. */
  readonly appArmor?: boolean | undefined;
  /** The AppArmor profile for steps that name none, if one is loaded on the machine. */
  readonly defaultAppArmorProfile?: string | undefined;
}

/**
 * Everything that a spec is made of, as plain values. Only `id`, `namespace`, `args`, `env`, `user` and
 * `host` are required.
 */
export interface SpecInput {
  /** Id of the container. */
  readonly id: string;
  /** containerd's namespace. */
  readonly namespace: string;
  readonly host: SpecHost;
  /** All arguments: see `composeArgs`. */
  readonly args: readonly string[];
  /** All variables, as `NAME=value`: see `composeEnvironment`. */
  readonly env: readonly string[];
  /** Absolute path: see `composeCwd`. Default `/`. */
  readonly cwd?: string | undefined;
  readonly user: ProcessUser;
  /**
   * Whether other users' processes will be added to the container. Then root's capabilities are in the
   * bounding set, whoever runs the first process. Default `false`.
   */
  readonly forManyUsers?: boolean | undefined;
  /** Its terminal's first size. Default: no terminal. */
  readonly terminal?: TerminalSize | undefined;
  /**
   * Path of a static init program on the daemon's machine, such as `tini` or `catatonit`. It becomes process
   * 1, reaps orphans, and passes signals on to the step's program. Default: the step's program is process 1.
   */
  readonly init?: string | undefined;
  /** Default: the id, cut to the 63 characters that a host name may have. */
  readonly hostname?: string | undefined;

  /**
   * Every capability and device, no seccomp filter, nothing masked, `/sys` writable, no-new-privileges off.
   * Default `false`.
   */
  readonly privileged?: boolean | undefined;
  readonly capabilities?: Pick<CapabilityOptions, "add" | "drop"> | undefined;
  /** Default `true`, unless privileged. */
  readonly noNewPrivileges?: boolean | undefined;
  /** Default: docker's profile; no filter if privileged. */
  readonly seccomp?: SeccompProfile | "unconfined" | undefined;
  /**
   * Name of a profile that the daemon's machine has loaded, or `unconfined`. Default: the machine's profile
   * for containers; no profile if privileged.
   */
  readonly apparmorProfile?: string | undefined;

  /** Default `none`. */
  readonly network?: Network | undefined;
  readonly userNamespace?: UserNamespace | undefined;
  readonly mounts?: readonly StepMount[] | undefined;
  /** Mounted before `mounts`, on what the image itself has. */
  readonly bottomMounts?: readonly StepMount[] | undefined;
  /** Mounts that none of `mounts` may cover. */
  readonly topMounts?: readonly StepMount[] | undefined;
  readonly devices?: readonly StepDevice[] | undefined;
  readonly shmSizeBytes?: number | undefined;
  readonly readonlyRootfs?: boolean | undefined;

  readonly resources?: ResourceLimits | undefined;
  readonly ulimits?: Readonly<Record<string, Ulimit>> | undefined;
  /**
   * Whether limits that `ulimits` does not name get our defaults instead of the daemon's own. Default `true`.
   */
  readonly defaultUlimits?: boolean | undefined;
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
  /**
   * -1000 to 1000. A score below the shim's own needs CAP_SYS_RESOURCE there. Default: 0, or the lowest that
   * the daemon can give.
   */
  readonly oomScoreAdj?: number | undefined;
  readonly hooks?: Hooks | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The fields used here need this version. Older runtimes refuse a later one. */
const OCI_VERSION = "1.0.2";

/**
 * Returns the OCI runtime spec of a Linux container. The defaults are strict: see {@link SpecInput}.
 *
 * @throws ExecutorError `refused` for values that cannot be used, each named as in a step file.
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
      bottomMounts: input.bottomMounts,
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

/** In `/dev`, which is a tmpfs, so that the root file system need not be writable. */
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
    ...createTerminal(input.terminal),
    user: createUser(user),
    args,
    env: [...input.env],
    cwd: input.cwd ?? "/",
    capabilities: capabilitiesOf(input),
    rlimits: createRlimits({ ...defaultUlimits(input), ...ulimits }),
    noNewPrivileges,
    ...createAppArmor(input),
    // Without a score, the process inherits the shim's, and daemons are often set to be killed last.
    oomScoreAdj: input.oomScoreAdj ?? input.host.minimumOomScoreAdj ?? 0,
  };
}

/** Returns the fields of a process that give it a terminal, or none. */
export function createTerminal(size: TerminalSize | undefined): Pick<Process, "terminal" | "consoleSize"> {
  if (size === undefined) return { terminal: false };
  return { terminal: true, consoleSize: { height: size.rows, width: size.columns } };
}

function defaultUlimits({ host, defaultUlimits: isWanted = true }: SpecInput): Record<string, Ulimit> {
  return isWanted ? createDefaultUlimits(host.maximumOpenFiles) : {};
}

function createAppArmor({
  privileged = false,
  host,
  apparmorProfile = privileged ? undefined : host.defaultAppArmorProfile,
}: SpecInput): Pick<Process, "apparmorProfile"> {
  // Without AppArmor, a runtime fails if any profile is named.
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

/** Counts the ids from 0 on that are mapped without a gap. */
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
  forManyUsers = false,
  capabilities,
  host,
}: SpecInput): LinuxCapabilities {
  return createCapabilities({
    ...capabilities,
    uid: user.uid,
    privileged,
    newPrivileges: !noNewPrivileges || forManyUsers,
    available: host.capabilities,
  });
}

/** Makes a host name from an id: at most 63 characters, without dots and underscores. */
export function toHostname(id: string): string {
  return id
    .replaceAll(/[^A-Za-z0-9-]/g, "-")
    .slice(0, 63)
    .replace(/-+$/, "");
}
