import type { StepEndCause } from "../core/output/cause.js";
import type { ExecutorErrorKind } from "../error-kind.js";
import type { StepPhase } from "../event.js";
import type { Leftover } from "../record/leftover.js";
import type { UnreleasedResource } from "../unreleased.js";

/** How something ended that has an exit code. */
export interface EndDiagnostic {
  /** Why it ended. Set at the end, if it ran. */
  cause?: StepEndCause | undefined;
  /** Set at the end, if it is known. */
  exitCode?: number | undefined;
  /** How long its process ran, in milliseconds. Set at the end, if it ran. */
  runMs?: number | undefined;
  /** In milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if it could not be run. What ran and failed has a `cause` instead. */
  errorKind?: ExecutorErrorKind | undefined;
}

/**
 * One attempt to run a step, from its start until everything is released, or could not be released yet.
 * Published on `wfe-containerd.step`. A step of a session is an {@link ExecDiagnostic}.
 */
export interface StepDiagnostic extends EndDiagnostic {
  /** The container's id in containerd. */
  readonly id: string;
  /** Which attempt it is, from 1 on. A step that was refused, or stopped in the queue, has one that fails. */
  readonly attempt: number;
  /** As the caller gave it. Undefined if the input has no name. */
  readonly name: string | undefined;
  /** The full name of the image. Undefined if the input has no valid one. */
  readonly image: string | undefined;
}

/**
 * A further process in a step's container, from its start until everything is released: one that `exec` adds,
 * or a step of a session. Published on `wfe-containerd.exec`.
 */
export interface ExecDiagnostic extends EndDiagnostic {
  /** The id of the process in the container. */
  readonly id: string;
  /** The step's, or that of the session. Undefined if it does not run. */
  readonly stepId: string | undefined;
  /** As the caller gave it. Undefined if it has none. */
  readonly name: string | undefined;
}

/** One phase of a step, or of a further process. Published on `wfe-containerd.phase`. */
export interface PhaseDiagnostic {
  /** The step's, or the process's. */
  readonly id: string;
  readonly phase: StepPhase;
  /** In milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if the step could not be run because of what happened in this phase. */
  errorKind?: ExecutorErrorKind | undefined;
}

/** One attempt to remove what a step used. Published on `wfe-containerd.release`. */
export interface ReleaseDiagnostic {
  /** The step's. */
  readonly id: string;
  /** 1; more when what failed before is tried again. */
  readonly attempt: number;
  /** What could not be removed yet. Set at the end. */
  unreleased: readonly UnreleasedResource[];
  /** In milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** The kind of the failure. Set at the end, if not everything was removed. */
  errorKind?: string | undefined;
}

/** One search for what dead processes left on a daemon. Published on `wfe-containerd.reap`. */
export interface ReapDiagnostic {
  readonly address: string;
  readonly namespace: string;
  /** Whether it only looks. */
  readonly dryRun: boolean;
  /** What was removed; of a dry run, what would be. Set at the end. */
  removed: readonly Leftover[];
  /** What could not be removed. Set at the end. */
  failed: readonly (Leftover & { readonly failure: string })[];
  /** In milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if the daemon could not be asked. */
  errorKind?: string | undefined;
}
