import type { OutputIssue } from "./output-issue.js";

/**
 * How a step came to its end.
 *
 * - `exit`: by itself; `exitCode` is its own.
 * - `signal`: with 128 + n; a signal ended it, or it says so of a child. containerd reports both alike.
 * - `timeout`, `aborted`: it was stopped; `exitCode` is what it ended with then.
 * - `oom`: the kernel killed it at its memory limit.
 * - `log-io-failed`: its output could not be stored any more, so it was killed.
 * - `runtime-lost`: the shim that held it died, and the exit code with it.
 * - `unknown`: the daemon has forgotten how it ended.
 */
export type Cause =
  | "exit"
  | "signal"
  | "timeout"
  | "aborted"
  | "oom"
  | "log-io-failed"
  | "runtime-lost"
  | "unknown";

/** What came out of a step. */
export interface StepResult {
  readonly name: string;
  /** 0 to 255; null where nobody can know it: with the causes `runtime-lost` and `unknown`. */
  readonly exitCode: number | null;
  readonly cause: Cause;
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
  /** When its process was started, by this machine's clock. */
  readonly startedAt: Date;
  /** From start to exit, in milliseconds. */
  readonly durationMs: number;
}
