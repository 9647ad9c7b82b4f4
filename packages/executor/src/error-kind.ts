/**
 * Why a step could not be run.
 *
 * - `invalid-step`: the input is not a valid step; `issues` lists everything that is wrong with it.
 * - `refused`: the step is valid, but the policy or the machine does not allow it; `issues` says what would
 *   be allowed.
 * - `invalid-argument`: an option of the executor, or an argument of a call, is wrong.
 * - `image-not-found`: the daemon does not have the image, and it may not be pulled or the registry does not
 *   have it.
 * - `pull-failed`: the registry could not be reached, or sent something wrong.
 * - `command-not-found`: the image does not have the program.
 * - `command-not-executable`: the file exists, but is not a program or may not be run.
 * - `aborted`: the caller aborted the step before its process had started.
 * - `daemon-unavailable`: the daemon cannot be reached, or does not answer.
 * - `runtime`: the daemon or its runtime failed; the message quotes it.
 * - `io`: the files for the step's output could not be made, or the daemon cannot see them.
 * - `closed`: the executor was closed, or told to drain, before the step was started.
 */
export type ExecutorErrorKind =
  | "invalid-step"
  | "refused"
  | "invalid-argument"
  | "image-not-found"
  | "pull-failed"
  | "command-not-found"
  | "command-not-executable"
  | "aborted"
  | "daemon-unavailable"
  | "runtime"
  | "io"
  | "closed";
