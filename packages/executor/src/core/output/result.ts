import type { StepAttempt } from "./attempt.js";
import type { StepEndCause } from "./cause.js";
import type { OutputIssue } from "./output-issue.js";
import type { StepLog } from "./step-log.js";
import type { StepUsage } from "./usage.js";
import type { StepWarning } from "./warning.js";

/** The result of a step: that of its last attempt. */
export interface StepResult {
  readonly name: string;
  /** Whether it ended by itself with exit code 0. */
  readonly ok: boolean;
  /** 0 to 255; null if it cannot be known, which is so with the causes `runtime-lost` and `unknown`. */
  readonly exitCode: number | null;
  readonly cause: StepEndCause;
  /**
   * How it ended, in a line for people: `exit code 3`; `ran longer than its time-out, and was stopped; exit
   * code 143 (SIGTERM)`. Programs read `cause` and `exitCode`.
   */
  readonly reason: string;
  /**
   * How many processes of the step the kernel killed at its memory limit. Children count too; the step may
   * survive them.
   */
  readonly oomKills: number;
  readonly usage: StepUsage;
  /**
   * The first bytes of standard output, as UTF-8, cut after a whole character. Invalid UTF-8 is replaced. The
   * events have all output, byte for byte.
   */
  readonly stdout: string;
  /** The same of standard error. */
  readonly stderr: string;
  /** Whether some output is missing in `stdout` or `stderr`. `log` tells more. */
  readonly truncated: boolean;
  /** Whether all output was read, where it was not, and the last bytes of both streams. */
  readonly log: StepLog;
  /** Values by key, from `##wfe[output key=value]` lines. */
  readonly outputs: Readonly<Record<string, string>>;
  /**
   * Problems with output lines: lines that were not taken, and outputs that become the same variable. Mostly
   * empty.
   */
  readonly outputIssues: readonly OutputIssue[];
  /**
   * Probable reasons for a failure of the step and how to fix them: a volume that its user may not write to,
   * and the like.
   */
  readonly warnings: readonly StepWarning[];
  /** When its process was started, by the clock of the executor's machine. */
  readonly startedAt: Date;
  /** From start to exit, in milliseconds. */
  readonly durationMs: number;
  /** All attempts, in order. The last one is what this result tells of. */
  readonly attempts: readonly StepAttempt[];
}
