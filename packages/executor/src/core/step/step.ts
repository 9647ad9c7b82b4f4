import { z } from "zod";
import { isExecutorError, type StepIssue } from "../../error.js";
import { composeScript } from "../plan/script.js";
import type { StepDevice } from "../spec/devices.js";
import { createResources, type ResourceLimits } from "../spec/resources.js";
import { createRlimits, type Ulimit } from "../spec/rlimits.js";
import type { SeccompProfile } from "../spec/seccomp.js";
import { createSysctls } from "../spec/sysctls.js";
import { directoryOf, isWithin } from "../units/path.js";
import { invalidStep, type Spelling, toIssues, toSnakeCase } from "./issues.js";
import { type StepFile, stepSchema } from "./schema.js";

/** A checked step. Durations are in milliseconds, sizes in bytes. */
export interface StepConfig {
  readonly name: string;
  readonly image: string;
  /** Replaces the image's entrypoint. Undefined: the image's own program. */
  readonly command?: readonly string[] | undefined;
  /** The field that names the program, if the image does not. */
  readonly programField: "run" | "shell" | "command";
  /** A script that `command` runs from a file in the container. */
  readonly script?: string | undefined;
  /** Replaces the image's arguments. */
  readonly args?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  /** Gids, or names of the image's groups. */
  readonly groupAdd: readonly (number | string)[];
  readonly init: boolean;

  /** Directories and files of the daemon's machine. */
  readonly volumes: readonly HostVolume[];
  readonly namedVolumes: readonly NamedVolume[];
  readonly caches: readonly Cache[];
  readonly tmpfs: readonly Tmpfs[];
  /** The secrets that the step asks for. Their values are not part of the step. */
  readonly secrets: readonly SecretRequest[];
  readonly readOnly: boolean;
  readonly shmSizeBytes?: number | undefined;

  readonly network: "none" | "host" | "bridge";
  readonly hostname?: string | undefined;
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];

  readonly resources: ResourceLimits;
  readonly ulimits: Readonly<Record<string, Ulimit>>;
  readonly oomScoreAdj?: number | undefined;

  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges?: boolean | undefined;
  readonly seccomp: "default" | "unconfined" | SeccompProfile;
  readonly apparmorProfile?: string | undefined;
  readonly userNamespace: boolean;
  readonly devices: readonly StepDevice[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;

  readonly pull: "always" | "if-not-present" | "never";
  readonly registryAuth?:
    | Readonly<Record<string, { readonly username: string; readonly password: string }>>
    | undefined;
  readonly containerdAddr?: string | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  readonly timeoutMs?: number | undefined;
  readonly stopSignal?: string | undefined;
  readonly stopGraceMs?: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** A directory or file of the daemon's machine, mounted in the container. */
export interface HostVolume {
  /** Its index in the step's `volumes`. */
  readonly index: number;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly propagation?: "rprivate" | "rslave" | undefined;
  readonly noexec?: boolean | undefined;
}

/** A named directory that the executor keeps on the daemon's machine. */
export interface NamedVolume {
  readonly name: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly noexec?: boolean | undefined;
}

/** Like a named volume, but it may be deleted whenever no step uses it. */
export interface Cache {
  readonly name: string;
  readonly target: string;
}

/** A directory in memory. */
export interface Tmpfs {
  readonly target: string;
  readonly sizeBytes?: number | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly readonly?: boolean | undefined;
  readonly noexec?: boolean | undefined;
}

/** A secret that a step asks for. */
export interface SecretRequest {
  readonly name: string;
  /** Path of the file in the container. */
  readonly target: string;
  /** Whether its value is masked in the step's output. */
  readonly mask: boolean;
}

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type FileInput = z.input<typeof stepSchema>;

/**
 * A step as written in TypeScript: the fields of a step file, in camelCase. The snake_case of step files is
 * accepted too.
 */
export type StepInput =
  | { readonly [K in keyof FileInput as Camel<K & string>]: Given<FileInput[K]> }
  | Given<FileInput>;

/** Also accepts constant lists and objects; they are only read. */
type Given<T> = T extends object ? { readonly [K in keyof T]: Given<T[K]> } : T;

/**
 * Checks a step and adds the defaults. This is the only place that checks the fields of a step.
 *
 * @example
 * ```ts
 * const step = parseStep({ name: "build", image: "alpine:3.20", run: "make", timeout: "5m" });
 * step.timeoutMs; // 300000
 * ```
 * @throws ExecutorError `invalid-step`, with an issue for everything that is wrong.
 */
export function parseStep(input: unknown): StepConfig {
  const { value, spelling, issues } = toSnakeCase(input);
  const parsed = stepSchema.safeParse(value);
  const all = parsed.success
    ? issues
    : [...issues, ...parsed.error.issues.flatMap((issue) => toIssues(issue, spelling, value))];
  if (parsed.success) all.push(...checkTogether(parsed.data, spelling));
  if (all.length > 0 || !parsed.success) throw invalidStep(all);
  return toConfig(parsed.data);
}

/** Returns the JSON Schema (2020-12) of a step, for editors and for programs that write steps. */
export function stepJsonSchema(): object {
  return {
    ...z.toJSONSchema(stepSchema, { io: "input", unrepresentable: "any" }),
    title: "A step for wfe-containerd",
  };
}

function toConfig(step: StepFile): StepConfig {
  return {
    name: step.name,
    image: step.image,
    ...(step.run === undefined ? { command: step.command } : composeScript(step.run, step.shell)),
    programField: step.run === undefined ? "command" : step.shell === undefined ? "run" : "shell",
    args: step.args,
    env: step.env,
    workingDir: step.working_dir,
    user: step.user,
    groupAdd: step.group_add,
    init: step.init,

    volumes: step.volumes
      .map((volume, index) => ({ ...volume, index }))
      .filter(({ source }) => source.startsWith("/")),
    namedVolumes: step.volumes
      .filter(({ source }) => !source.startsWith("/"))
      .map(({ source, target, readonly, noexec }) => ({ name: source, target, readonly, noexec })),
    caches: step.caches,
    tmpfs: step.tmpfs.map(({ size, ...mount }) => ({ ...mount, sizeBytes: size })),
    secrets: step.secrets,
    readOnly: step.read_only,
    shmSizeBytes: step.shm_size,

    network: step.network,
    hostname: step.hostname,
    extraHosts: step.extra_hosts,
    dns: step.dns,
    dnsSearch: step.dns_search,
    dnsOptions: step.dns_options,

    resources: toResourceLimits(step),
    ulimits: step.ulimits,
    oomScoreAdj: step.oom_score_adj,

    capAdd: step.cap_add,
    capDrop: step.cap_drop,
    privileged: step.privileged,
    noNewPrivileges: step.no_new_privileges,
    seccomp: step.seccomp,
    apparmorProfile: step.apparmor_profile,
    userNamespace: step.user_namespace,
    devices: step.devices,
    sysctls: step.sysctls,
    annotations: step.annotations,

    pull: step.pull,
    registryAuth: step.registry_auth,
    containerdAddr: step.containerd_addr,
    tls: step.tls,
    timeoutMs: step.timeout_ms ?? step.timeout,
    stopSignal: step.stop_signal,
    stopGraceMs: step.stop_grace_ms ?? step.stop_grace,
    labels: step.labels,
  };
}

function toResourceLimits(step: StepFile): ResourceLimits {
  return {
    memoryBytes: step.memory,
    memorySwapBytes: step.memory_swap,
    memoryReservationBytes: step.memory_reservation,
    cpus: step.cpu,
    cpuShares: step.cpu_shares,
    cpusetCpus: step.cpuset_cpus,
    cpusetMems: step.cpuset_mems,
    pidsLimit: step.pids_limit,
    blockIo: {
      weight: step.blkio_weight,
      readBytesPerSecond: step.device_read_bps,
      writeBytesPerSecond: step.device_write_bps,
      readOperationsPerSecond: step.device_read_iops,
      writeOperationsPerSecond: step.device_write_iops,
    },
    hugepages: step.hugepages,
  };
}

const EXCLUSIVE = [
  ["run", "command"],
  ["run", "args"],
  ["timeout", "timeout_ms"],
  ["stop_grace", "stop_grace_ms"],
] as const;

function checkExclusive(step: StepFile, spelling: Spelling): StepIssue[] {
  return EXCLUSIVE.filter(([one, other]) => step[one] !== undefined && step[other] !== undefined).map(
    ([one, other]) => ({
      field: spelling(one),
      message: `it is given together with ${spelling(other)}`,
      allowed: "one of them",
    }),
  );
}

function checkShell({ run, shell }: StepFile, spelling: Spelling): StepIssue[] {
  if (run !== undefined) return refusalsOf(() => composeScript(run, shell), spelling);
  if (shell === undefined) return [];
  return [
    {
      field: spelling("shell"),
      message: `it is given without ${spelling("run")}`,
      allowed: `with ${spelling("run")}, whose script it runs`,
    },
  ];
}

function checkTls(step: StepFile, spelling: Spelling): StepIssue[] {
  if (step.tls === undefined || step.containerd_addr !== undefined) return [];
  const address = spelling("containerd_addr");
  return [
    {
      field: spelling("tls"),
      message: `it is given without ${address}`,
      allowed: `with ${address}; the operator chooses how the executor's own daemon is reached`,
    },
  ];
}

/** Checks what each field allows alone, but not together with others. */
function checkTogether(step: StepFile, spelling: Spelling): StepIssue[] {
  return [
    ...checkExclusive(step, spelling),
    ...checkShell(step, spelling),
    ...checkTls(step, spelling),
    ...checkTargets(step, spelling),
    ...refusalsOf(() => createResources(toResourceLimits(step), []), spelling),
    ...refusalsOf(() => createRlimits(step.ulimits), spelling),
    ...refusalsOf(() => createSysctls(step.sysctls, { network: step.network }), spelling),
  ];
}

/** Each target in the container may be used once. */
function checkTargets(step: StepFile, spelling: Spelling): StepIssue[] {
  const seen = new Set<string>();
  const issues: StepIssue[] = [];
  for (const field of ["volumes", "caches", "tmpfs", "secrets"] as const) {
    for (const { target } of step[field]) {
      if (seen.has(target))
        issues.push({
          field: spelling(field),
          message: `two mounts have the target ${target}`,
          allowed: "each target once",
        });
      seen.add(target);
    }
  }
  return [...issues, ...checkSecretDirectories(step, spelling)];
}

/**
 * A mount above a secret would hide it, and the secrets' directory would hide mounts next to and below it.
 */
function checkSecretDirectories(step: StepFile, spelling: Spelling): StepIssue[] {
  const targets = (["volumes", "caches", "tmpfs"] as const).flatMap((field) =>
    step[field].map(({ target }) => target),
  );
  return [...new Set(step.secrets.map(({ target }) => directoryOf(target)))].flatMap(
    (directory): StepIssue[] => {
      const meets = targets.find((target) => isWithin(target, directory) || isWithin(directory, target));
      if (meets === undefined) return [];
      const relation =
        meets === directory
          ? "is the target of a mount, too"
          : `and the target ${meets} of a mount contain one another`;
      return [
        {
          field: spelling("secrets"),
          message: `${directory}, the directory of a secret, ${relation}`,
          allowed: "a directory for secrets alone, outside of every mount",
        },
      ];
    },
  );
}

function refusalsOf(check: () => unknown, spelling: Spelling): StepIssue[] {
  try {
    check();
    return [];
  } catch (reason) {
    if (!isExecutorError(reason)) throw reason;
    return reason.issues.map(({ field, ...issue }) => ({ ...issue, field: spelling(field) }));
  }
}
