import { requireThat } from "../refuse.js";
import type { DeviceRule, Resources, ThrottleDevice } from "./spec.js";

/**
 * Limits on what a step uses of the daemon's machine. A missing limit is not set, except
 * `DEFAULT_PIDS_LIMIT`.
 */
export interface ResourceLimits {
  readonly memoryBytes?: number | undefined;
  /** Memory and swap together; -1 for any amount of swap. Default: `memoryBytes`, so no swap. */
  readonly memorySwapBytes?: number | undefined;
  /** Memory that the kernel tries to leave to the step when memory is short. */
  readonly memoryReservationBytes?: number | undefined;
  /** CPU time, in CPUs, 0.01 or more: 1.5 is one and a half CPUs. */
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
  /** Limits by page size, named as the kernel does: `2MB`, `1GB`. */
  readonly hugepages?: readonly { readonly pageSize: string; readonly limitBytes: number }[] | undefined;
}

/** Limits on block devices. */
export interface BlockIoLimits {
  /** Relative weight, 10 to 1000. */
  readonly weight?: number | undefined;
  readonly readBytesPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly writeBytesPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly readOperationsPerSecond?: readonly ThrottleDevice[] | undefined;
  readonly writeOperationsPerSecond?: readonly ThrottleDevice[] | undefined;
}

/**
 * The default limit of processes and threads. It is an eighth of the 32768 process ids that kernels have by
 * default, so that a few runaway steps leave the host able to fork. It is twice podman's limit, which
 * programs with many threads have hit.
 */
export const DEFAULT_PIDS_LIMIT = 4096;

/** The kernel's default scheduling period, 100 ms. */
const CPU_PERIOD_US = 100_000;
/** The most CPUs that Linux can have. */
const MOST_CPUS = 8192;
/**
 * The smallest memory limit that docker accepts. Below it, runtimes fail in ways that are hard to recognize.
 */
const MINIMUM_MEMORY_BYTES = 6 * 1024 * 1024;

/**
 * Returns the `resources` of a spec. Runtimes translate them to cgroup v1 or v2, and fail if the host does
 * not have such a control.
 *
 * @param cpuCount number of CPUs of the host, if known
 * @throws ExecutorError `refused` for a value that this host, or any host, cannot apply, and for values that
 * contradict each other.
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
    "1 or more, or -1 for no limit",
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
    "limits memory and swap together, but memory is missing",
    "memory_swap together with memory; example: memory: 512m, memory_swap: 1g",
  );
  requireThat(
    memorySwapBytes === undefined || memorySwapBytes === -1 || memorySwapBytes >= (memoryBytes ?? 0),
    "memory_swap",
    `${memorySwapBytes} is less than memory, but memory_swap limits memory and swap together`,
    `${memoryBytes} (the value of memory) or more, or -1 for no limit`,
  );
  requireThat(
    memoryReservationBytes === undefined ||
      memoryBytes === undefined ||
      memoryReservationBytes <= memoryBytes,
    "memory_reservation",
    `${memoryReservationBytes} is more than memory`,
    `up to ${memoryBytes}, the value of memory`,
  );
  return orUndefined({
    ...optional("limit", memoryBytes),
    ...optional("reservation", memoryReservationBytes),
    // A runtime would write -1, and fail if the kernel does not account for swap.
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
      `${JSON.stringify(set)} is not a list of numbers and ranges`,
      "numbers and ranges; example: 0-3,7",
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
      "a number with KB, MB or GB; example: 2MB",
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
