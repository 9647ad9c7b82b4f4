import type { StepInput } from "@wfe-containerd/executor";
import type { DockerFlags } from "./docker-flags.js";
import { toMounts } from "./docker-mount.js";
import { toSecurity } from "./docker-security.js";
import { readEnvironment, readLabels } from "./environment.js";
import { UsageError } from "./failure.js";
import { number, operations, pairs, rates, stopTimeout, ulimit, unlessZero } from "./flag-values.js";
import { toRetry } from "./retry-flag.js";
import { toRuntime } from "./runtime-flag.js";

/** Docker's words for when to pull. */
const PULL = { always: "always", missing: "if-not-present", never: "never" } as const;

/**
 * Turns the flags and arguments of `run` into a step.
 *
 * @throws UsageError for a value that does not fit its flag.
 */
export async function toStep(image: string, args: readonly string[], flags: DockerFlags): Promise<StepInput> {
  if (flags.entrypoint === "" && args.length === 0)
    throw new UsageError(
      "--entrypoint: is empty, which removes the image's program and its arguments, and the command is missing; give a command after the image, for example: run --entrypoint '' alpine ls",
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
    retry: flags.retry === undefined ? undefined : toRetry(flags.retry),
  };
}

/** Docker knows the address of its bridge, and puts it for `host-gateway`. */
function extraHost(entry: string): string {
  if (/[:=]host-gateway$/.test(entry))
    throw new UsageError(
      `--add-host: ${JSON.stringify(entry)}: host-gateway is unknown; give the address of the daemon's machine; with --network bridge, give the first address of --bridge-subnet, for example --add-host host.docker.internal:10.87.0.1`,
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
    ...(await toSecurity(flags.securityOpt)),
    runtime: toRuntime(flags.runtime)?.name,
    userNamespace: flags.userns === "private",
    devices: flags.device,
    sysctls: pairs("--sysctl", flags.sysctl),
    annotations: pairs("--annotation", flags.annotation),
  };
}

/** The kernel's default for the period. Runtimes apply it too. */
const CPU_PERIOD_US = 100_000;

/** Returns the CPU limit in CPUs. docker's older flags mean the same: the quota divided by the period. */
function cpus({ cpus: given, cpuQuota, cpuPeriod }: DockerFlags): number | undefined {
  const quota = number("--cpu-quota", cpuQuota);
  const period = number("--cpu-period", cpuPeriod) || CPU_PERIOD_US;
  if (given !== undefined && (cpuQuota !== undefined || cpuPeriod !== undefined))
    throw new UsageError(
      "--cpus: cannot be used together with --cpu-quota or --cpu-period; allowed: only --cpus, or only the other two",
    );
  if (!Number.isInteger(period) || period < 1000 || period > 1_000_000)
    throw new UsageError(`--cpu-period: ${period} is not allowed; allowed: 1000 to 1000000 microseconds`);
  if (quota !== undefined && quota !== -1 && quota !== 0) return quota / period;
  return number("--cpus", given) || undefined;
}
