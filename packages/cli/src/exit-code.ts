import { isExecutorError, type StepResult } from "@wfe-containerd/executor";
import { FAILED, OutputError } from "./failure.js";
import { codeOfSignal } from "./stop-signals.js";

const WORDS: Partial<Record<StepResult["cause"], string>> = {
  timeout: "it took longer than its time-out",
  aborted: "it was stopped",
  oom: "the kernel killed it at its memory limit",
  "log-io-failed": "its output could not be stored any more",
  "runtime-lost": "its container runtime died, so its exit code is unknown",
  unknown: "the daemon no longer knows how it ended",
};

/** As timeout(1) has it. */
const TIMED_OUT = 124;
/** What a program can choose as its own exit code; a shell uses those above for signals. */
const LAST_OWN_CODE = 127;

/** Says on standard error how a step ended, unless it ended by itself. */
export function reportEnd({ name, cause, oomKills }: StepResult): void {
  const word = WORDS[cause];
  if (word !== undefined) console.error(`wfe-containerd: step ${name}: ${word}`);
  if (oomKills === 0 || cause === "oom") return;
  const processes = oomKills === 1 ? "1 of its processes" : `${oomKills} of its processes`;
  console.error(`wfe-containerd: step ${name}: the kernel killed ${processes} at its memory limit`);
}

/** The command's exit code for a step: the step's own, where it tells how the step went. One that was out of time may have ended with 0. */
export function exitCodeOf({ exitCode, cause }: StepResult): number {
  if (cause === "timeout") return TIMED_OUT;
  if (cause === "log-io-failed") return exitCode || FAILED;
  return exitCode ?? FAILED;
}

/**
 * The exit code after a signal came: 128 and the signal's number, so that who sent it sees that it was obeyed. A step that
 * chose a code of its own (1 to 127) keeps it, and so does one that a second signal killed.
 */
export function exitCodeAfter(signal: NodeJS.Signals, code: number, wasKilled: boolean): number {
  const isOwn = code !== 0 && code <= LAST_OWN_CODE;
  return isOwn || wasKilled ? code : codeOfSignal(signal);
}

/** Whether a failure is only what a signal asked for: the step did not start, or its output has nowhere to go any more. */
export function isFromSignal(reason: unknown): boolean {
  return isExecutorError(reason, "aborted") || reason instanceof OutputError;
}
