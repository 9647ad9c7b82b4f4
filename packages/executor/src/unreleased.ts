/** Something of a step, or of a further process in its container (`exec`, `secrets`), that is still there. */
export interface UnreleasedResource {
  readonly kind: "exec" | "task" | "container" | "snapshot" | "output" | "lease" | "secrets";
  /** The id in containerd; of `output` and `secrets`, the path of its directory. */
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
