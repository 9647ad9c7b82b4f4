import { readFile } from "node:fs/promises";
import { parseDuration, type StepInput } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { toMounts } from "./docker-mount.js";
import { addOtherFlags, fromDockerSpelling } from "./docker-other-flags.js";
import { readEnvironment, readLabels } from "./environment.js";
import { UsageError } from "./failure.js";
import { collect } from "./transfer.js";

/** The flags of `run`, with docker's names. */
export interface DockerFlags {
  readonly name: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly entrypoint?: string;
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  readonly init?: boolean;
  readonly volume?: readonly string[];
  readonly cache?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly mount?: readonly string[];
  readonly readOnly?: boolean;
  readonly shmSize?: string;
  readonly network: Network;
  readonly net?: Network;
  readonly hostname?: string;
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];
  readonly dnsOpt?: readonly string[];
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly memoryReservation?: string;
  readonly cpus?: string;
  readonly cpuQuota?: string;
  readonly cpuPeriod?: string;
  readonly cpuShares?: string;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: string;
  readonly blkioWeight?: string;
  readonly deviceReadBps?: readonly string[];
  readonly deviceWriteBps?: readonly string[];
  readonly deviceReadIops?: readonly string[];
  readonly deviceWriteIops?: readonly string[];
  readonly hugepages?: readonly string[];
  readonly ulimit?: readonly string[];
  readonly oomScoreAdj?: string;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly securityOpt?: readonly string[];
  readonly userns: "host" | "private";
  readonly device?: readonly string[];
  readonly sysctl?: readonly string[];
  readonly annotation?: readonly string[];
  readonly pull: "always" | "missing" | "never";
  readonly label?: readonly string[];
  readonly labelFile?: readonly string[];
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly cidfile?: string;
  readonly timeout?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: string;
}

const NETWORKS = ["none", "bridge", "host"] as const;
type Network = (typeof NETWORKS)[number];

const PULL = { always: "always", missing: "if-not-present", never: "never" } as const;

/** Adds docker's flags to a command. */
export function addDockerFlags(command: Command): Command {
  const list = (flags: string, description: string): void => {
    command.option(flags, description, collect);
  };
  const choice = (flags: string, description: string, choices: readonly string[], standard: string): void => {
    command.addOption(new Option(flags, description).choices(choices).default(standard));
  };
  command.option("--name <name>", "name of the step", "run");
  list("-e, --env <NAME=value>", "environment variable; NAME alone passes yours on");
  list("--env-file <file>", "environment variables, one a line");
  command
    .option("--entrypoint <program>", "program to run instead of the image's own")
    .option("-w, --workdir <path>", "directory the command starts in")
    .option("-u, --user <user>", "uid, uid:gid, name, name:group, or image (default: 65534:65534)");
  list("--group-add <group>", "additional group, a gid or a name");
  command.option(
    "--init",
    "run the command below a small init, which passes signals on and reaps its children",
  );

  list("-v, --volume <source:target[:ro]>", "directory or file of the daemon's machine, or a volume by name");
  list(
    "--cache <name:target>",
    "directory that is kept between runs, and may be removed when nobody uses it",
  );
  list("--tmpfs <target[:size=64m,mode=1777]>", "directory in memory");
  list("--mount <type=bind,source=path,target=path,readonly>", "bind, volume or tmpfs, as in docker");
  command
    .option("--read-only", "make the root file system read-only")
    .option("--shm-size <size>", "size of /dev/shm (default: 64m)");

  choice("--network <network>", "network", NETWORKS, "none");
  command.addOption(new Option("--net <network>").choices(NETWORKS).hideHelp());
  // As in docker, -h is the host name and not help.
  command.helpOption("--help", "show this help").option("-h, --hostname <name>", "host name");
  list("--add-host <name:address>", "additional line in /etc/hosts");
  list("--dns <address>", "name server");
  list("--dns-search <domain>", "domain to look up short names in");
  list("--dns-option <option>", "option in resolv.conf: ndots:2");
  command.addOption(new Option("--dns-opt <option>").argParser(collect).hideHelp());

  command
    .option("-m, --memory <size>", "memory limit: 512m")
    .option("--memory-swap <size>", "limit of memory and swap together; -1 for unlimited swap")
    .option("--memory-reservation <size>", "memory that the kernel tries to leave to the step")
    .option("--cpus <number>", "CPU limit, in CPUs: 0.5")
    .option("--cpu-quota <microseconds>", "the same, in microseconds of each period; -1 for no limit")
    .option("--cpu-period <microseconds>", "length of a period (default: 100000)")
    .option("-c, --cpu-shares <number>", "share of CPU time against other containers; 1024 is usual")
    .option("--cpuset-cpus <list>", "CPUs to run on: 0-3,7")
    .option("--cpuset-mems <list>", "memory nodes to use")
    .option("--pids-limit <number>", "limit of processes; -1 or 0 for no limit (default: 4096)")
    .option("--blkio-weight <number>", "share of block I/O, 10 to 1000");
  list("--device-read-bps <major:minor:size>", "limit of bytes read per second: 8:0:10m");
  list("--device-write-bps <major:minor:size>", "limit of bytes written per second");
  list("--device-read-iops <major:minor:number>", "limit of reads per second");
  list("--device-write-iops <major:minor:number>", "limit of writes per second");
  list("--hugepages <page:size>", "limit of huge pages: 2MB:64m");
  list("--ulimit <name=soft[:hard]>", "resource limit of processes: nofile=1024");
  command.option(
    "--oom-score-adj <number>",
    "-1000 to 1000; above 0 the kernel kills the step before other processes",
  );

  list("--cap-add <name>", "capability to add, or ALL");
  list("--cap-drop <name>", "capability to drop, or ALL");
  command.option("--privileged", "all capabilities and devices, no seccomp filter, nothing masked");
  list(
    "--security-opt <option>",
    "seccomp=unconfined, seccomp=FILE, apparmor=PROFILE, no-new-privileges[=false]",
  );
  choice(
    "--userns <namespace>",
    "private: the step's user ids are unused ones on the daemon's machine",
    ["host", "private"],
    "host",
  );
  list("--device <device>", "device: /dev/fuse, or path:path:rwm");
  list("--sysctl <name=value>", "kernel parameter: net.ipv4.ip_forward=1");
  list("--annotation <key=value>", "annotation for the container runtime");

  choice("--pull <when>", "when to pull the image", ["always", "missing", "never"], "missing");
  command
    .option("--platform <os/arch>", "platform of the image; only the daemon's own can run")
    .option("-q, --quiet", "do not show the pull");
  list("-l, --label <name=value>", "label on the container");
  list("--label-file <file>", "labels, one a line");
  command
    .option("--cidfile <file>", "file to write the container's id to")
    .option("--timeout <duration>", "time limit: 30s, 5m")
    .option(
      "--stop-signal <signal>",
      "signal that stops the command (default: the image's own, else SIGTERM)",
    )
    .option("--stop-timeout <duration>", "time between the stop signal and SIGKILL (default: 10s)");
  addOtherFlags(command);
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => parseOptions(fromDockerSpelling(args, command.options));
  return command;
}

/**
 * Turns the flags and arguments of `run` into a step.
 *
 * @throws UsageError for a value that does not fit its flag.
 */
export async function toStep(image: string, args: readonly string[], flags: DockerFlags): Promise<StepInput> {
  if (flags.entrypoint === "" && args.length === 0)
    throw new UsageError(
      "--entrypoint: it is empty, which resets the image's program and its arguments, and the command is missing; give one behind the image, for example: run --entrypoint '' alpine ls",
    );
  return {
    name: flags.name,
    image,
    ...(flags.entrypoint !== undefined && { command: [flags.entrypoint] }),
    ...(args.length > 0 && { args: [...args] }),
    env: await readEnvironment(flags.envFile ?? [], flags.env ?? []),
    workingDir: flags.workdir,
    user: flags.user,
    groupAdd: flags.groupAdd,
    init: flags.init,
    ...toMounts(flags.volume, flags.tmpfs, flags.mount),
    caches: flags.cache,
    readOnly: flags.readOnly,
    shmSize: unlessZero(flags.shmSize),
    network: flags.net ?? flags.network,
    hostname: flags.hostname,
    extraHosts: flags.addHost?.map(extraHost),
    dns: flags.dns,
    dnsSearch: flags.dnsSearch,
    dnsOptions: [...(flags.dnsOption ?? []), ...(flags.dnsOpt ?? [])],
    ...limits(flags),
    ...(await confinement(flags)),
    pull: PULL[flags.pull],
    labels: { ...(await readLabels(flags.labelFile ?? [])), ...pairs("--label", flags.label, "") },
    timeout: flags.timeout,
    stopSignal: flags.stopSignal,
    stopGraceMs: flags.stopTimeout === undefined ? undefined : stopTimeout(flags.stopTimeout),
  };
}

/** Docker knows the address of its bridge, and puts it for `host-gateway`. */
function extraHost(entry: string): string {
  if (/[:=]host-gateway$/.test(entry))
    throw new UsageError(
      `--add-host: ${JSON.stringify(entry)}: host-gateway is not known; give the address of the daemon's machine. With --network bridge it is the first of --bridge-subnet, for example --add-host host.docker.internal:10.87.0.1`,
    );
  return entry;
}

function limits(flags: DockerFlags): Partial<StepInput> {
  return {
    memory: unlessZero(flags.memory),
    // Docker accepts `--memory-swap -1` without a memory limit. Swap is then unlimited anyway.
    memorySwap:
      flags.memory === undefined && flags.memorySwap === "-1" ? undefined : unlessZero(flags.memorySwap),
    memoryReservation: unlessZero(flags.memoryReservation),
    cpu: cpus(flags),
    cpuShares: number("--cpu-shares", flags.cpuShares) || undefined,
    cpusetCpus: flags.cpusetCpus,
    cpusetMems: flags.cpusetMems,
    // For docker both 0 and -1 mean no limit.
    pidsLimit: number("--pids-limit", flags.pidsLimit) || (flags.pidsLimit === undefined ? undefined : -1),
    blkioWeight: number("--blkio-weight", flags.blkioWeight) || undefined,
    deviceReadBps: rates("--device-read-bps", flags.deviceReadBps),
    deviceWriteBps: rates("--device-write-bps", flags.deviceWriteBps),
    deviceReadIops: operations("--device-read-iops", flags.deviceReadIops),
    deviceWriteIops: operations("--device-write-iops", flags.deviceWriteIops),
    hugepages: rates("--hugepages", flags.hugepages),
    ulimits: flags.ulimit && Object.fromEntries(flags.ulimit.map(ulimit)),
    oomScoreAdj: number("--oom-score-adj", flags.oomScoreAdj),
  };
}

async function confinement(flags: DockerFlags): Promise<Partial<StepInput>> {
  return {
    capAdd: flags.capAdd,
    capDrop: flags.capDrop,
    privileged: flags.privileged,
    ...(await securityOptions(flags.securityOpt)),
    userNamespace: flags.userns === "private",
    devices: flags.device,
    sysctls: pairs("--sysctl", flags.sysctl),
    annotations: pairs("--annotation", flags.annotation),
  };
}

async function securityOptions(options: readonly string[] = []): Promise<Partial<StepInput>> {
  const given: { seccomp?: never; apparmorProfile?: string; noNewPrivileges?: boolean } = {};
  for (const option of options) {
    // Docker also accepts a colon, its separator before it had the equals sign.
    const [, key, value] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === "seccomp" && value) Object.assign(given, { seccomp: await seccompProfile(value) });
    else if (key === "apparmor" && value) given.apparmorProfile = value;
    else if (key === "no-new-privileges" && (value === undefined || value === "true" || value === "false"))
      given.noNewPrivileges = value !== "false";
    else if (key === "label")
      throw new UsageError(
        `--security-opt: ${JSON.stringify(option)} is not known; a step never gets SELinux labels; leave it out`,
      );
    else if (key === "systempaths")
      throw new UsageError(
        "--security-opt: paths in /proc and /sys are always masked, but for --privileged; leave systempaths out",
      );
    else
      throw new UsageError(
        `--security-opt: ${JSON.stringify(option)} is not known; allowed: seccomp=unconfined, seccomp=FILE, apparmor=PROFILE, no-new-privileges[=false]`,
      );
  }
  return given;
}

async function seccompProfile(value: string): Promise<unknown> {
  if (value === "unconfined" || value === "default") return value;
  // Docker's name for its own default profile.
  if (value === "builtin") return "default";
  const contents = await readFile(value, "utf8").catch((cause: unknown) => {
    throw new UsageError(`--security-opt: cannot read the seccomp profile ${value}`, { cause });
  });
  try {
    return JSON.parse(contents);
  } catch (cause) {
    throw new UsageError(`--security-opt: the seccomp profile ${value} is not JSON`, { cause });
  }
}

function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value))
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is no number; allowed: digits, for example 100`);
  return value;
}

/** For docker a size of 0 means no limit. */
function unlessZero(size: string | undefined): string | undefined {
  return size !== undefined && /^0+ ?(?:[kmgt]i?)?b?$/i.test(size) ? undefined : size;
}

/** The kernel's default for the period. Runtimes apply it too. */
const CPU_PERIOD_US = 100_000;

/** Returns the CPU limit in CPUs. docker's older flags mean the same: the quota divided by the period. */
function cpus({ cpus: given, cpuQuota, cpuPeriod }: DockerFlags): number | undefined {
  const quota = number("--cpu-quota", cpuQuota);
  const period = number("--cpu-period", cpuPeriod) || CPU_PERIOD_US;
  if (given !== undefined && (cpuQuota !== undefined || cpuPeriod !== undefined))
    throw new UsageError(
      "--cpus: cannot be used together with --cpu-quota or --cpu-period; allowed: one of them",
    );
  if (!Number.isInteger(period) || period < 1000 || period > 1_000_000)
    throw new UsageError(`--cpu-period: ${period} is not allowed; allowed: 1000 to 1000000 microseconds`);
  if (quota !== undefined && quota !== -1 && quota !== 0) return quota / period;
  return number("--cpus", given) || undefined;
}

/** Turns `8:0:1m` into `{ "8:0": "1m" }`. */
function rates(flag: string, entries: readonly string[] | undefined): Record<string, string> | undefined {
  return (
    entries &&
    Object.fromEntries(
      entries.map((entry) => {
        const at = entry.lastIndexOf(":");
        if (at < 1)
          throw new UsageError(
            `${flag}: ${JSON.stringify(entry)} has no colon; allowed: device:limit, for example 8:0:10m`,
          );
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    )
  );
}

function operations(
  flag: string,
  entries: readonly string[] | undefined,
): Record<string, number> | undefined {
  const given = rates(flag, entries);
  return (
    given &&
    Object.fromEntries(Object.entries(given).map(([device, rate]) => [device, number(flag, rate) ?? 0]))
  );
}

function ulimit(entry: string): [string, { soft: number; hard: number }] {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(entry) ?? [];
  if (name === undefined)
    throw new UsageError(
      `--ulimit: ${JSON.stringify(entry)} is not a limit; allowed: name=soft, name=soft:hard, for example nofile=1024`,
    );
  return [name, { soft: Number(soft), hard: Number(hard) }];
}

/** Docker accepts seconds; this also accepts durations with a unit. @returns milliseconds */
function stopTimeout(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (value === undefined)
    throw new UsageError(
      `--stop-timeout: ${JSON.stringify(text)} is not a duration; allowed: seconds, or 500ms, 10s, 1m`,
    );
  return value;
}

/** @param standard the value of a name without `=`. Undefined: such a name is refused. */
function pairs(
  flag: string,
  entries: readonly string[] | undefined,
  standard?: string,
): Record<string, string> | undefined {
  return (
    entries &&
    Object.fromEntries(
      entries.map((entry) => {
        const at = entry.indexOf("=");
        if (at > 0) return [entry.slice(0, at), entry.slice(at + 1)];
        if (at === -1 && standard !== undefined) return [entry, standard];
        throw new UsageError(`${flag}: ${JSON.stringify(entry)} is not a pair; allowed: name=value`);
      }),
    )
  );
}
