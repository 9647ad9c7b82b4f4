/** What a step used of its machine, as its cgroup has counted it. */
export interface StepUsage {
  /** CPU time of all its processes together, in milliseconds; null if it is not known. */
  readonly cpuTimeMs: number | null;
  /**
   * The most memory that it had at once, with the page cache that counts for it; null if it is not known.
   * With cgroup v2, kernels before 5.19 and older versions of containerd do not tell it.
   */
  readonly peakMemoryBytes: number | null;
}

export const UNKNOWN_USAGE: StepUsage = { cpuTimeMs: null, peakMemoryBytes: null };
