import type { StepResult } from "@wfe-containerd/executor";
import { FAILED } from "./failure.js";

const WORDS: Partial<Record<StepResult["cause"], string>> = {
  timeout: "it took longer than its time-out",
  aborted: "it was stopped",
  oom: "the kernel killed it at its memory limit",
  "log-io-failed": "its output could not be stored any more",
  "runtime-lost": "the runtime that held it died, and its exit code with it",
  unknown: "the daemon has forgotten how it ended",
};

/** As timeout(1) has it. */
const TIMED_OUT = 124;

/**
 * The step's own exit code, where it has one that tells how it went: one that was out of time may still have ended with 0. Why it ended, when not
 * by itself, is said on standard error.
 */
export function exitCodeOf({ name, exitCode, cause }: StepResult): number {
  const word = WORDS[cause];
  if (word !== undefined) console.error(`wfe-containerd: step ${name}: ${word}`);
  if (cause === "timeout") return TIMED_OUT;
  if (cause === "log-io-failed") return exitCode || FAILED;
  return exitCode ?? FAILED;
}
