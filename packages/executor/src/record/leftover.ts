/** Something that is left of a step, or of other work, and that no living process claims. */
export interface Leftover {
  /**
   * - `task`, `container`, `snapshot`, `lease`, `ingest`: what containerd calls so.
   * - `process`: that of a step that was left to itself, and whose time-out is over. The step stays.
   * - `shim`: the process of containerd that holds a task, when containerd does not list the task.
   * - `output`: the directory with a step's output files.
   * - `temporary-directory`: the private directory of an executor, in which it made those directories.
   * - `control-group`: the groups that limit a step's processes, in all hierarchies.
   * - `network-address`: an address of the bridge that the plugin `host-local` still counts as taken.
   */
  readonly kind:
    | "process"
    | "task"
    | "container"
    | "snapshot"
    | "lease"
    | "ingest"
    | "shim"
    | "output"
    | "temporary-directory"
    | "control-group"
    | "network-address";
  /** The id in containerd; of a directory, its path; else the step's id. */
  readonly id: string;
  /** The step that it belonged to. Undefined for other work, such as a pull. */
  readonly stepId?: string | undefined;
  /** Why nobody needs it. */
  readonly reason: string;
}

/** What {@link reap} removed, or would remove. */
export interface ReapReport {
  /** What was removed; after a dry run, what would be removed. */
  readonly removed: readonly Leftover[];
  /** What could not be removed, and why. A later call tries again. */
  readonly failed: readonly (Leftover & { readonly failure: string })[];
}

/** Leftovers that stand on each other. They are removed in this order, until one fails. */
export type Pile = readonly {
  readonly leftover: Leftover;
  remove(): Promise<unknown>;
}[];

/** A pile of which several processes may try to remove parts. */
export interface ClaimablePile {
  readonly pile: Pile;
  /**
   * Makes sure that no other process removes it, or takes it over. Default: it needs no such thing.
   *
   * @returns undefined if another process has it, or it is gone.
   */
  readonly claim?: (() => Promise<PileClaim | undefined>) | undefined;
}

export interface PileClaim {
  /** @param isRemoved whether nothing of the pile is left. */
  end(isRemoved: boolean): Promise<void>;
}
