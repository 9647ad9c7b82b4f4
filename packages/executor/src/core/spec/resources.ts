import { requireThat } from "../refuse.js";
import type { DeviceRule, Resources, ThrottleDevice } from "./spec.js";

/** What a step may use of the daemon's host. What is left out is not limited, but for {@link DEFAULT_PIDS_LIMIT}. */
export interface ResourceLimits {
  readonly memoryBytes?: number | undefined;
  /** Memory and swap together; -1 for any amount of swap. Default: as much as `memoryBytes`, which is no swap. */
  readonly memorySwapBytes?: number | undefined;
  /** What the kernel tries to keep for the step when memory is short. */
  readonly memoryReservationBytes?: number | undefined;
  /** CPUs' worth of time, 0.01 or more: 1.5 is one and a half. */
  readonly cpus?: number | undefined;
  /** Relative weight, 2 to 262144; 1024 is usual. Runtimes convert it on cgroup v2. */
  readonly cpuShares?: number | undefined;
  /** CPUs to run on: `0-3,7`. */
  readonly cpusetCpus?: string | undefined;
  /** Memory nodes to use: `0-1`. */
  readonly cpusetMems?: string | undefined;
  /** Processes and threads together; -1 for any number. */
  readonly pidsLimit?: number | undefined;
  readonly blockIo?: BlockIoLimits | undefined;
  /** Limits by page size as the kernel names it: `2MB`, `1GB`. */
  readonly hugepages?: readonly { readonly pageSize: string; readonly limitBytes: number }[] | undefined;
}

export interface BlockIoLimits {
  /** 10 to 1000. */
  readonly weight?: number | undefined;
  readonly readBytesPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly writeBytesPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly readOperationsPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly writeOperationsPerSecond?: readonly ThrottleDevice[] | undefined;
}

/**
 * How many processes and threads a step may have unless it says: an eighth of the 32768 that kernels number by default, so that one
 * runaway step, or several, leave the host able to fork; and twice podman's, which programs with many threads have been seen to hit.
 */
export const DEFAULT_PIDS_LIMIT = 4096;

/** The kernel's default scheduling period, 100 ms. */
const CPU_PERIOD_US = 100_000;
/** As many as Linux can have. */
const MOST_CPUS = 8192;
/** The smallest memory limit that docker takes: below it, runtimes fail in ways that are hard to tell. */
const MINIMUM_MEMORY_BYTES = 6 * 1024 * 1024;

/**
 * The `resources` of a spec. Runtimes translate them to cgroup v1 or v2, and fail when the host has no such control.
 *
 * @param cpuCount of the host, where it is known.
 * @throws ExecutorError `refused` for a value that the host, or no host, could apply, or that contradicts another.
 */
export function createResources(
  limits: ResourceLimits,
  devices: DeviceRule[],
  cpuCount: number = MOST_CPUS,
): Resources {
  const { pidsLimit = DEFAULT_PIDS_LIMIT } = limits;
  requireThat(
    Number.isSafeInteger(pidsLimit) && (pidsLimit > 0 || pidsLimit === -1),
    "pids_limit",
    `${pidsLimit} is not a number of processes`,
    "1 or more, or -1 for any number",
  );
  return {
    devices,
    ...optional("memory", createMemory(limits)),
    ...optional("cpu", createCpu(limits, cpuCount)),
    ...optional("blockIO", createBlockIo(limits.blockIo ?? {})),
    ...optional("hugepageLimits", createHugepages(limits)),
    pids: { limit: pidsLimit },
  };
}

function createMemory(limits: ResourceLimits): Resources["memory"] {
  const { memoryBytes, memoryReservationBytes, memorySwapBytes = memoryBytes } = limits;
  for (const [field, bytes] of [
    ["memory", memoryBytes],
    ["memory_reservation", memoryReservationBytes],
  ] as const) {
    requireThat(
      bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= MINIMUM_MEMORY_BYTES),
      field,
      `${bytes} bytes are too few for a container`,
      "6 MiB or more",
    );
  }
  requireThat(
    memorySwapBytes === memoryBytes || memoryBytes !== undefined,
    "memory_swap",
    "it limits memory and swap together, and memory is missing",
    "memory_swap together with memory; example: memory: 512m, memory_swap: 1g",
  );
  requireThat(
    memorySwapBytes === undefined || memorySwapBytes === -1 || memorySwapBytes >= (memoryBytes ?? 0),
    "memory_swap",
    `it limits memory and swap together, and ${memorySwapBytes} is less than memory`,
    "memory or more, or -1 for any amount",
  );
  requireThat(
    memoryReservationBytes === undefined ||
      memoryBytes === undefined ||
      memoryReservationBytes <= memoryBytes,
    "memory_reservation",
    `${memoryReservationBytes} is more than memory`,
    "up to memory",
  );
  return orUndefined({
    ...optional("limit", memoryBytes),
    ...optional("reservation", memoryReservationBytes),
    // Said as -1, a runtime would write it, and fail where the kernel does not account for swap.
    ...optional("swap", memorySwapBytes === -1 ? undefined : memorySwapBytes),
  });
}

function createCpu(
  { cpus, cpuShares, cpusetCpus, cpusetMems }: ResourceLimits,
  cpuCount: number,
): Resources["cpu"] {
  requireThat(
    cpus === undefined || (Number.isFinite(cpus) && cpus >= 0.01 && cpus <= cpuCount),
    "cpu",
    `${cpus} is not a number of CPUs that the daemon's machine has`,
    `0.01 to ${cpuCount}`,
  );
  requireThat(
    cpuShares === undefined || (Number.isInteger(cpuShares) && cpuShares >= 2 && cpuShares <= 262_144),
    "cpu_shares",
    `${cpuShares} is not a weight`,
    "2 to 262144",
  );
  for (const [field, set] of [
    ["cpuset_cpus", cpusetCpus],
    ["cpuset_mems", cpusetMems],
  ] as const) {
    requireThat(
      set === undefined || /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(set),
      field,
      `${JSON.stringify(set)} is not a list of numbers`,
      "numbers and ranges: 0-3,7",
    );
  }
  return orUndefined({
    ...optional("shares", cpuShares),
    ...(cpus === undefined ? {} : { quota: Math.round(cpus * CPU_PERIOD_US), period: CPU_PERIOD_US }),
    ...optional("cpus", cpusetCpus),
    ...optional("mems", cpusetMems),
  });
}

function createBlockIo(limits: BlockIoLimits): Resources["blockIO"] {
  const { weight } = limits;
  requireThat(
    weight === undefined || (Number.isInteger(weight) && weight >= 10 && weight <= 1000),
    "blkio_weight",
    `${weight} is not a weight`,
    "10 to 1000",
  );
  return orUndefined({
    ...optional("weight", weight),
    ...optional("throttleReadBpsDevice", copyOf(limits.readBytesPerSecond)),
    ...optional("throttleWriteBpsDevice", copyOf(limits.writeBytesPerSecond)),
    ...optional("throttleReadIOPSDevice", copyOf(limits.readOperationsPerSecond)),
    ...optional("throttleWriteIOPSDevice", copyOf(limits.writeOperationsPerSecond)),
  });
}

function createHugepages({ hugepages }: ResourceLimits): Resources["hugepageLimits"] {
  return hugepages?.map(({ pageSize, limitBytes }) => {
    requireThat(
      /^[1-9]\d{0,3}[KMG]B$/.test(pageSize),
      "hugepages",
      `${JSON.stringify(pageSize)} is not a page size`,
      "64KB, 2MB, 1GB and their like",
    );
    return { pageSize, limit: limitBytes };
  });
}

function copyOf<T>(list: readonly T[] | undefined): T[] | undefined {
  return list === undefined ? undefined : [...list];
}

function orUndefined<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}
