import type { Outcome } from "../outcome.js";

/** What a fault disturbs. Two faults that disturb the same do not strike at the same time. */
export type Part = "daemon" | "shims" | "runc" | "path" | "output disk" | "worker";

/** The phases of a step, as its events tell them. */
export const PHASES = ["resolving", "preparing", "starting", "running", "settling", "releasing"] as const;
export type Phase = (typeof PHASES)[number];

/** Something that goes wrong for a while with what steps need. */
export interface Fault {
  readonly name: string;
  readonly parts: readonly Part[];
  /** It strikes as a step enters one of these phases. */
  readonly phases: readonly Phase[];
  /** How long it lasts on the average, in milliseconds. */
  readonly lastsMs: number;
  /**
   * Lets it happen.
   *
   * @param id the container of the step that has just entered a phase.
   * @returns undefined if there was nothing to strike.
   */
  strike(id: string): Promise<Wound | undefined>;
  /**
   * Whether the fault may have made this of a step, in place of its own result.
   *
   * @param around all that has struck while the step ran.
   */
  explains(outcome: Outcome, strike: Strike, around: readonly Strike[]): boolean;
}

/** A fault that has struck. */
export interface Wound {
  /** The containers that it has struck, as far as is known by now. Undefined: whatever there was. */
  readonly ids?: ReadonlySet<string> | undefined;
  heal(): Promise<void>;
}

/** When a fault struck, and whom. Times are by the wall clock, as those of files are. */
export interface Strike {
  readonly fault: Fault;
  readonly phase: Phase;
  readonly fromMs: number;
  /** When it was healed. Infinity if it was not. */
  readonly untilMs: number;
  readonly ids: ReadonlySet<string> | undefined;
}
