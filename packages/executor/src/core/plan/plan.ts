import { type Bridge, createBridgeHooks } from "../network/bridge.js";
import {
  coversEtc,
  createHostFiles,
  type HostFile,
  takesServers,
  toEntries,
  toMounts,
} from "../network/host-files.js";
import { createHostNamesHooks } from "../network/host-names.js";
import { toVariables, type WorkflowData } from "../output/workflow-data.js";
import type { StepRecord } from "../recovery/step-record.js";
import { createSpec, toHostname } from "../spec/create-spec.js";
import type { StepMount } from "../spec/mounts.js";
import type { UserNamespace } from "../spec/namespaces.js";
import { composeArgs, composeCwd, composeEnvironment, type ImageProcess } from "../spec/process.js";
import { createRlimits } from "../spec/rlimits.js";
import type { Hooks, Spec } from "../spec/spec.js";
import type { TerminalSize } from "../spec/terminal.js";
import { type ProcessUser, toHostUser } from "../spec/user.js";
import { type Secret, secretMounts, secretsVariable } from "../step/secret.js";
import type { StepConfig } from "../step/step.js";
import { volumeReferences, volumesLabel, volumeUses } from "../step/volume.js";
import type { ArchiveEntry } from "./archive.js";
import type { BaseLayer } from "./base-layer.js";
import type { FollowedStep } from "./checked-step.js";
import type { MachineFacts } from "./machine-facts.js";
import { secretPlaces } from "./rootfs.js";
import type { Runtime } from "./runtime.js";
import { scriptEntries } from "./script.js";
import { waiterEntries } from "./waiter.js";

/** The parts of a step's image that a plan depends on. */
export interface PlanImage {
  readonly name: string;
  readonly target: { readonly digest: string };
  readonly configDescriptor: { readonly digest: string };
  readonly config: {
    readonly config?: (ImageProcess & { readonly StopSignal?: string | undefined }) | undefined;
  };
}

/** The parts of a daemon's machine that a plan depends on. */
export interface PlanMachine {
  readonly facts: MachineFacts;
  /** containerd's namespace and snapshotter. */
  readonly client: { readonly namespace: string; readonly snapshotter: string };
  /** The bridge for `network: bridge`. */
  readonly bridge: Bridge;
}

export interface PlanInput {
  readonly id: string;
  readonly step: FollowedStep;
  readonly image: PlanImage;
  /** The parent of the step's snapshot. */
  readonly baseLayer: BaseLayer;
  readonly user: ProcessUser;
  readonly machine: PlanMachine;
  readonly data: WorkflowData;
  /** The result of {@link stepLabels}. */
  readonly labels: Readonly<Record<string, string>>;
  /** Directory of the step's output files. */
  readonly ioDirectory: string;
  readonly secrets: readonly Secret[];
  /** What the step's record has from the executor. */
  readonly record: Pick<StepRecord, "owner" | "run" | "log" | "openStdin"> &
    Pick<StepRecord["output"], "mode" | "seal">;
  /** Mounts of the step's volumes and caches, which exist already. */
  readonly volumes: readonly StepMount[];
  /** The mapping of the step's ids, if it has a user namespace. */
  readonly userNamespace?: UserNamespace | undefined;
  readonly runtime: Runtime;
  /** Whether the container is that of a session: its first process only waits, and others are added to it. */
  readonly isSession: boolean;
  /** The size of the process's terminal, if it has one. */
  readonly terminal?: TerminalSize | undefined;
  /** Path of a static init program on the daemon's machine, if the step wants one. */
  readonly init?: string | undefined;
}

/** Everything that a step asks of containerd. */
export interface StepPlan {
  /** Id of the container, and also of its lease, snapshot and task. */
  readonly id: string;
  /** Name of the step. */
  readonly name: string;
  readonly snapshot: { readonly parent: string; readonly labels: Readonly<Record<string, string>> };
  /** Entries that are written into the step's own layer before the runtime sees it. */
  readonly rootfs: readonly ArchiveEntry[];
  /** `/etc/hosts` and its like, as far as they belong into the step's own layer. */
  readonly nameFiles: readonly ArchiveEntry[];
  readonly container: {
    readonly image: string;
    readonly snapshotter: string;
    readonly runtime: Runtime;
    readonly spec: Spec;
    /** The same spec without limits that are only our defaults, for a daemon that cannot give them. */
    readonly specWithoutDefaults: Spec;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** What another process needs to take the step over, as it is before the step's process is started. */
  readonly record: StepRecord;
  /** Files to write next to the step's output, before the task is created. */
  readonly files: readonly { readonly path: string; readonly contents: string }[];
  readonly args: readonly string[];
  /** The step's field that names the program. */
  readonly programField: string;
  readonly workingDirField: string;
  /** The step's field that each mount comes from, by target. */
  readonly mountFields: Readonly<Record<string, string>>;
  /** Whether the seccomp filter is the step's own profile. */
  readonly hasOwnSeccomp: boolean;
  readonly memoryBytes: number | undefined;
  /** Undefined: no time limit. */
  readonly timeoutMs: number | undefined;
  readonly stopSignal: string;
  readonly stopGraceMs: number;
}

const DEFAULT_STOP_GRACE_MS = 10_000;

/** Before Linux 5.12, a spec has no mount option `rro`. */
const OLD_KERNEL = "5.4";

/** runsc of 2022 refuses the mount option `rro`, and crun 1.8 can use it only for directories. */
function knowsRro({ binary, sandboxed }: Runtime): boolean {
  return binary === undefined && !sandboxed;
}

/** A step on the host's network resolves names as the host does. */
const HOST_RESOLVER: StepMount = {
  type: "bind",
  source: "/etc/resolv.conf",
  target: "/etc/resolv.conf",
  readonly: true,
};

/**
 * Returns everything that is needed to run this step, in this image, on this daemon. Pure: the same input
 * gives the same plan.
 */
export function planStep(input: PlanInput): StepPlan {
  const { id, step, image, baseLayer, labels, ioDirectory } = input;
  const { client, bridge } = input.machine;
  const uses = volumeUses(step);
  const hostname = step.hostname ?? toHostname(id);
  const isWritable = canWriteAsRoot(input);
  const files = baseLayer.hasNameFiles
    ? createHostFiles(step, hostname, { directory: ioDirectory, isWritable }, bridge)
    : [];
  const spec = planSpec(input, hostname, files);
  const root = toHostUser({ uid: 0, gid: 0 }, input.userNamespace);
  const stopSignal = step.stopSignal ?? image.config.config?.StopSignal ?? "SIGTERM";
  const stopGraceMs = step.stopGraceMs ?? DEFAULT_STOP_GRACE_MS;
  const waiter = input.isSession ? waiterEntries(input.machine.facts.platform.architecture, root) : [];
  return {
    id,
    name: step.name,
    snapshot: { parent: baseLayer.key, labels: { ...labels, ...mappingLabels(input.userNamespace) } },
    rootfs: [
      ...secretPlaces(input.secrets, hasSecretsRoom(input)),
      ...scriptEntries(step.script, root),
      ...waiter,
    ],
    nameFiles: toEntries(files, root),
    container: {
      image: image.name,
      snapshotter: client.snapshotter,
      runtime: input.runtime,
      spec,
      specWithoutDefaults: withRlimitsOf(spec, step),
      labels: { ...labels, ...volumesLabel(uses), ...volumeReferences(client.snapshotter, uses) },
    },
    record: planRecord(input, { signal: stopSignal, graceMs: stopGraceMs }),
    files: files.flatMap(({ path, contents }) => (path === undefined ? [] : [{ path, contents }])),
    args: spec.process.args,
    programField: programField(step, image),
    workingDirField: step.workingDir === undefined ? "image" : "working_dir",
    mountFields: mountFields(step),
    hasOwnSeccomp: typeof step.seccomp === "object",
    memoryBytes: step.resources.memoryBytes,
    timeoutMs: step.timeoutMs,
    stopSignal,
    stopGraceMs,
  };
}

function planRecord(input: PlanInput, stop: StepRecord["stop"]): StepRecord {
  const { step, image, ioDirectory, secrets } = input;
  const { owner, run, log, mode, seal, openStdin } = input.record;
  return {
    state: "preparing",
    name: step.name,
    image: {
      name: image.name,
      digest: image.target.digest,
      config: image.configDescriptor.digest,
    },
    owner,
    claim: 0,
    ...(run && { run }),
    output: { directory: ioDirectory, mode, seal },
    ...(openStdin && { openStdin }),
    ...(input.terminal && { terminal: true }),
    secrets: secrets.map(({ name, target, mask }) => ({ name, target, mask })),
    stop,
    log,
    programField: programField(step, image),
  };
}

function programField(step: StepConfig, { config: { config } }: PlanImage): string {
  const isNone = (program: readonly string[] | null = []): boolean =>
    program === null || program.length === 0 || (program.length === 1 && program[0] === "");
  if (!isNone(step.command)) return step.programField;
  if (step.command === undefined && !isNone(config?.Entrypoint)) return "image";
  return step.args === undefined ? "image" : "args";
}

function mountFields(step: StepConfig): Record<string, string> {
  const { volumes, namedVolumes, caches, tmpfs } = step;
  return Object.fromEntries(
    Object.entries({ volumes: [...volumes, ...namedVolumes], caches, tmpfs }).flatMap(([field, mounts]) =>
      mounts.map(({ target }) => [target, field]),
    ),
  );
}

function withRlimitsOf(spec: Spec, { ulimits }: StepConfig): Spec {
  return { ...spec, process: { ...spec.process, rlimits: createRlimits(ulimits) } };
}

/** Whether a process of the step can ever write to files of root's in its own file system. */
function canWriteAsRoot({ step, user }: PlanInput): boolean {
  return !step.readOnly && (user.uid === 0 || !(step.noNewPrivileges ?? !step.privileged));
}

/**
 * Labels that make a snapshotter give the image's files to the step's ids. Source: containerd's
 * core/snapshots.
 */
function mappingLabels(namespace: UserNamespace | undefined): Record<string, string> {
  if (namespace === undefined) return {};
  const toLabel = (mappings: UserNamespace["uidMappings"]): string =>
    mappings.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(",");
  return {
    "containerd.io/snapshot/uidmapping": toLabel(namespace.uidMappings),
    "containerd.io/snapshot/gidmapping": toLabel(namespace.gidMappings),
  };
}

/** As for a step's own secrets: not in a user namespace, nor in a container that has a kernel of its own. */
function hasSecretsRoom({ isSession, runtime, userNamespace }: PlanInput): boolean {
  return isSession && !runtime.sandboxed && userNamespace === undefined;
}

function planSpec(input: PlanInput, hostname: string, files: readonly HostFile[]): Spec {
  const { id, step, image, user, machine, data } = input;
  const process = image.config.config;
  return createSpec({
    id,
    namespace: machine.client.namespace,
    host: knowsRro(input.runtime) ? machine.facts : { ...machine.facts, kernelVersion: OLD_KERNEL },
    args: composeArgs({ image: process, entrypoint: step.command, args: step.args }),
    env: composeEnvironment({
      image: process,
      data: toVariables(data),
      step: { ...secretsVariable(input.secrets), ...step.env },
      hostname,
      terminal: input.terminal !== undefined,
    }),
    cwd: composeCwd(step.workingDir, process),
    user,
    forManyUsers: input.isSession,
    terminal: input.terminal,
    init: input.init,
    hostname,
    privileged: step.privileged,
    capabilities: { add: step.capAdd, drop: step.capDrop },
    noNewPrivileges: step.noNewPrivileges,
    seccomp: step.seccomp === "default" ? undefined : step.seccomp,
    apparmorProfile: step.apparmorProfile,
    network: step.network,
    userNamespace: input.userNamespace,
    ...planMounts(input, files),
    topMounts: secretMounts(input.secrets, hasSecretsRoom(input)),
    devices: step.devices,
    shmSizeBytes: step.shmSizeBytes,
    readonlyRootfs: step.readOnly,
    resources: step.resources,
    ulimits: step.ulimits,
    sysctls: step.sysctls,
    oomScoreAdj: step.oomScoreAdj,
    hooks: planHooks(input, files),
    annotations: Object.keys(step.annotations).length === 0 ? undefined : step.annotations,
  });
}

/**
 * Returns the step's own mounts, and the files of names whose target the step does not use itself. Those are
 * mounted first, on the files of the base layer. If `/etc` is a link, they must not follow it into a volume.
 */
function planMounts(
  { step, volumes, baseLayer }: PlanInput,
  files: readonly HostFile[],
): { readonly mounts: StepMount[]; readonly bottomMounts: StepMount[] } {
  const given: StepMount[] = [
    ...step.volumes.map(({ index: _, ...volume }): StepMount => ({ type: "bind", ...volume })),
    ...step.tmpfs.map((mount): StepMount => ({ type: "tmpfs", ...mount })),
  ];
  const without = (some: readonly StepMount[], others: readonly StepMount[]): StepMount[] =>
    some.filter(({ target }) => !others.some((mount) => mount.target === target));
  const own = [...without(volumes, given), ...given];
  const names = toMounts(files);
  const hasResolver = files.some(({ target }) => target === HOST_RESOLVER.target);
  if (step.network === "host" && !hasResolver && baseLayer.hasNameFiles) names.push(HOST_RESOLVER);
  const wanted = without(names, own);
  return coversEtc(step)
    ? { mounts: [...wanted, ...own], bottomMounts: [] }
    : { mounts: own, bottomMounts: wanted };
}

function planHooks(
  { id, step, machine: { bridge } }: PlanInput,
  files: readonly HostFile[],
): Hooks | undefined {
  const pathOf = (wanted: string): string | undefined => files.find(({ target }) => target === wanted)?.path;
  const resolvConf = takesServers(step, bridge.dns) ? pathOf("/etc/resolv.conf") : undefined;
  const hosts = pathOf("/etc/hosts");
  if (step.network === "bridge") return createBridgeHooks(id, bridge, resolvConf);
  if (step.network === "host" && hosts !== undefined) return createHostNamesHooks(hosts, resolvConf);
  return undefined;
}
