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
export type StepEndCause =
  | "exit"
  | "signal"
  | "timeout"
  | "aborted"
  | "oom"
  | "log-io-failed"
  | "runtime-lost"
  | "unknown";
