/**
 * Paths that a step sees as empty: files become `/dev/null`, directories an empty read-only tmpfs. The
 * runtime skips paths that the daemon's machine does not have.
 *
 * Docker's current list, without the thermal counters of CPUs, which depend on the host: see
 * {@link createGuardedPaths}.
 */
const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

export interface GuardedPaths {
  readonly maskedPaths: string[];
  readonly readonlyPaths: string[];
}

export interface GuardedPathOptions {
  readonly privileged?: boolean | undefined;
  /** How many CPUs the daemon's machine may have. Default 64. */
  readonly cpuCount?: number | undefined;
}

/**
 * Returns the paths hidden from a step and those that it may only read; both lists are empty if privileged.
 */
export function createGuardedPaths({
  privileged = false,
  cpuCount = 64,
}: GuardedPathOptions = {}): GuardedPaths {
  if (privileged) return { maskedPaths: [], readonlyPaths: [] };
  // One path per CPU, as in docker. The directory above must stay readable: programs count CPUs there.
  const thermal = Array.from(
    { length: cpuCount },
    (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`,
  );
  return { maskedPaths: [...MASKED_PATHS, ...thermal], readonlyPaths: [...READONLY_PATHS] };
}
