import type { Masker } from "../core/mask/mask.js";
import type { OutputStore, OutputStream } from "../io/io.js";
import type { Journal, Positions } from "./journal.js";
import type { LogLimit } from "./log-limit.js";

/** Where a log's output is stored, and how much of it is kept. */
export interface LogSource {
  readonly store: OutputStore;
  /** For readers: what is stored is not masked. */
  readonly createMasker: (() => Masker) | undefined;
  readonly limit: LogLimit;
}

/** What readers see of a log. It changes while they read. */
export interface LogState {
  readonly journal: Journal;
  readonly source: LogSource | undefined;
  /** What comes before is no longer there. */
  readonly base: Positions;
  /** What comes behind is not kept. */
  readonly cut: Positions | undefined;
  /** How much is not kept behind `cut`. */
  readonly cutBytes: Readonly<Record<OutputStream, number>>;
  readonly isOver: boolean;
  readonly isClosed: boolean;
  /** Resolves at the next change. */
  changed(): Promise<void>;
}
