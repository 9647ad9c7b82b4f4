import type { TransferProgress } from "@wfe-containerd/client";
import type { StepAttempt } from "./core/output/attempt.js";
import type { OutputIssue } from "./core/output/output-issue.js";
import type { StepWarning } from "./core/output/warning.js";
import type { UnreleasedResource } from "./unreleased.js";

/**
 * What a step is doing. Each phase is announced once in each attempt, in this order. An attempt that cannot
 * be run goes straight to `releasing`. A step that is refused has no attempt, and so no phase.
 */
export type StepPhase = "resolving" | "preparing" | "starting" | "running" | "settling" | "releasing";

/** Output of the step, as it arrives. A chunk may end anywhere, even inside a UTF-8 character. */
export interface OutputEvent {
  readonly type: "output";
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** A `##wfe[output key=value]` line was read. A later line with the same key wins. */
export interface OutputValueEvent {
  readonly type: "output-value";
  readonly key: string;
  readonly value: string;
}

/**
 * An output line was not taken, or sets the same variable as another. At most about a hundred of these are
 * sent.
 */
export interface OutputIssueEvent extends OutputIssue {
  readonly type: "output-issue";
}

/** The probable reason of the step's failure. It comes after the output, and is also in the result. */
export interface WarningEvent extends StepWarning {
  readonly type: "warning";
}

/** A new phase begins. */
export interface PhaseEvent {
  readonly type: "phase";
  readonly phase: StepPhase;
  /** The container's id in containerd. Each attempt has a container of its own. */
  readonly id: string;
  /** Which attempt it is, from 1 on. What comes until the next `retry` belongs to it. */
  readonly attempt: number;
}

/** The executor runs `maxConcurrent` steps already. The step waits, and has touched no daemon yet. */
export interface QueuedEvent {
  readonly type: "queued";
  /** 1 if it is the next one now. Steps of a higher priority may still come before it. */
  readonly position: number;
}

/** An attempt has failed and is released, and another one follows. */
export interface RetryEvent {
  readonly type: "retry";
  /** How the attempt ended. */
  readonly ended: StepAttempt;
  /** The number of the attempt that follows: 2 is the first retry. */
  readonly attempt: number;
  /** How many attempts the step may have. */
  readonly attempts: number;
  /** How long the step waits before that, in milliseconds. */
  readonly delayMs: number;
}

/**
 * Progress of one blob of the image: its download or its unpacking. A slow consumer sees only the newest
 * event of each state.
 */
export interface ProgressEvent extends TransferProgress {
  readonly type: "progress";
}

/**
 * Output is missing at this place.
 *
 * - Nobody iterated the handle, and more than 1 MiB was waiting. Of one output's values, only the last was
 *   then kept. Iterate the handle at once to see everything.
 * - Much more than `maxLogBytes` was waiting to be read: the step prints too fast, or the loop is too slow.
 * - The step printed more than `maxLogBytes`, with `onLogLimit: "truncate"`. Then it comes at the end.
 */
export interface OutputGap {
  readonly type: "gap";
  /** How many bytes of output are missing. */
  readonly bytes: number;
}

/**
 * An attempt is over, and not everything that it used could be removed. The executor tries again later. It is
 * the last event of its attempt.
 */
export interface ReleaseFailedEvent {
  readonly type: "release-failed";
  readonly unreleased: readonly UnreleasedResource[];
}

/** The daemon does not answer. The step waits for it: see the executor's `daemonTimeoutMs`. */
export interface DaemonAwayEvent {
  readonly type: "daemon-away";
  readonly reason: string;
}

/** The daemon answers again, and the step goes on. */
export interface DaemonBackEvent {
  readonly type: "daemon-back";
  /** How long it was away, in milliseconds. */
  readonly awayMs: number;
}

/** Everything that a step can report while it runs. */
export type StepEvent =
  | QueuedEvent
  | OutputEvent
  | OutputValueEvent
  | OutputIssueEvent
  | WarningEvent
  | PhaseEvent
  | ProgressEvent
  | OutputGap
  | DaemonAwayEvent
  | DaemonBackEvent
  | ReleaseFailedEvent
  | RetryEvent;
