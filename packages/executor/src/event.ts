import type { TransferProgress } from "@wfe-containerd/client";
import type { OutputIssue } from "./core/output/output-issue.js";
import type { StepWarning } from "./core/output/warning.js";

/** Where a step is on its way. Each phase is announced once, in this order; a step that fails skips the rest up to `releasing`. */
export type StepPhase = "resolving" | "preparing" | "starting" | "running" | "settling" | "releasing";

/** Output of the step, as it arrives. The bytes are the step's own: they may end anywhere, inside a UTF-8 character too. */
export interface OutputEvent {
  readonly type: "output";
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** A `##wfe[output key=value]` line was read. A later one with the same key wins. */
export interface OutputValueEvent {
  readonly type: "output-value";
  readonly key: string;
  readonly value: string;
}

/** An output line could not be taken, or becomes the same variable as another. Up to about a hundred come. */
export interface OutputIssueEvent extends OutputIssue {
  readonly type: "output-issue";
}

/** What is probably behind the step's failure. It comes after the output, and is in the result as well. */
export interface WarningEvent extends StepWarning {
  readonly type: "warning";
}

export interface PhaseEvent {
  readonly type: "phase";
  readonly phase: StepPhase;
  /** The container's id in containerd. */
  readonly id: string;
}

/** How far the image's pull and unpacking are: of each of its blobs. Who is slow to take them sees of each state the latest. */
export interface ProgressEvent extends TransferProgress {
  readonly type: "progress";
}

/**
 * Events were not kept, because nobody was iterating and more than a mebibyte had come: that many bytes of
 * output are missing at this place. Of the values of one output only the last is kept then. Iterate a handle at once to see everything.
 */
export interface OutputGap {
  readonly type: "gap";
  readonly bytes: number;
}

export type StepEvent =
  | OutputEvent
  | OutputValueEvent
  | OutputIssueEvent
  | WarningEvent
  | PhaseEvent
  | ProgressEvent
  | OutputGap;
