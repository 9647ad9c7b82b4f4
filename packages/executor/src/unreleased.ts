/** Something of a step, or of a further process in its container (`exec`), that could not be removed yet. */
export interface UnreleasedResource {
  readonly kind: "exec" | "task" | "container" | "snapshot" | "output" | "lease";
  /** The id in containerd; of `output`, the path of its directory. */
  readonly id: string;
  /** Why it could not be removed: the failure, or what must be removed before it. */
  readonly reason: string;
}

/** What is left of one step, or of all steps of an executor. */
export interface ReleaseReport {
  /**
   * Everything that could not be removed yet; empty if nothing is left. The executor tries again until it is
   * closed. Afterwards `removeOrphans` (the command's `gc`) finds it.
   */
  readonly unreleased: readonly UnreleasedResource[];
}
