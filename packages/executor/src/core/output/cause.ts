/**
 * How a step ended.
 *
 * - `exit`: by itself. `exitCode` is its own.
 * - `signal`: with exit code 128 + n. A signal ended it, or it reports that a signal ended its child.
 *   containerd reports both alike.
 * - `timeout`, `aborted`: it was stopped. `exitCode` is the code that it then ended with.
 * - `oom`: the kernel killed it at its memory limit.
 * - `log-io-failed`: its output could no longer be stored, so it was killed.
 * - `runtime-lost`: its shim died, and the exit code was lost.
 * - `container-ended`: it was a further process in a container, and ended because the container did.
 * - `unknown`: the daemon no longer knows how it ended.
 */
export type StepEndCause =
  | "exit"
  | "signal"
  | "timeout"
  | "aborted"
  | "oom"
  | "log-io-failed"
  | "runtime-lost"
  | "container-ended"
  | "unknown";
