import type { StepEndCause } from "./cause.js";
import type { OutputIssue } from "./output-issue.js";
import type { StepWarning } from "./warning.js";

/** What came out of a step. */
export interface StepResult {
  readonly name: string;
  /** 0 to 255; null where nobody can know it: with the causes `runtime-lost` and `unknown`. */
  readonly exitCode: number | null;
  readonly cause: StepEndCause;
  /** Processes of the step that the kernel killed at its memory limit: children too, whom the step may survive. */
  readonly oomKills: number;
  /** The first bytes of its standard output, as UTF-8; what is no UTF-8 is replaced. The events hold all, to the byte. */
  readonly stdout: string;
  readonly stderr: string;
  /** True when some output is not in `stdout` or `stderr`. */
  readonly truncated: boolean;
  /** From its `##wfe[output key=value]` lines. */
  readonly outputs: Readonly<Record<string, string>>;
  /** What is wrong with its output lines: those that were not taken, and those that become the same variable. Mostly empty. */
  readonly outputIssues: readonly OutputIssue[];
  /** What is probably behind a failure of the step, and how to mend it: a volume that its user may not write to, and the like. */
  readonly warnings: readonly StepWarning[];
  /** When its process was started, by this machine's clock. */
  readonly startedAt: Date;
  /** From start to exit, in milliseconds. */
  readonly durationMs: number;
}
