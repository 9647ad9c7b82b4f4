import { isExecutorError, type StepResult } from "@wfe-containerd/executor";
import { FAILED, OutputError } from "./failure.js";
import { codeOfSignal, type StopSignals } from "./stop-signals.js";

export const CAUSE_TEXTS: Partial<Record<StepResult["cause"], string>> = {
  timeout: "ran longer than its time-out",
  aborted: "was stopped",
  oom: "the kernel killed the step at its memory limit",
  "log-io-failed": "the step's output could no longer be stored",
  "runtime-lost": "the container runtime of the step died, so the exit code is unknown",
  "container-ended": "ended because its container did",
  unknown: "the daemon no longer knows how the step ended",
};

/** The kernel keeps signals from a container's first process that it has no handler for. */
const IGNORED_STOP_SIGNAL =
  "; it ignored its stop signal, and was killed after the grace period; to end it at once, try init (--init), another stop signal, or exec before the script's last command";

/** How a step was asked to end, as far as its result does not tell it. */
export interface HowStopped {
  /** That of the step. Undefined: the image's own, else SIGTERM. */
  readonly stopSignal?: string | undefined;
  /** Whether a second signal killed it. */
  readonly wasKilled: boolean;
  /** What ended, if it is not the step itself. */
  readonly what?: string;
}

const KILLED = 137;
/** The exit code that timeout(1) uses. */
const TIMED_OUT = 124;
/** The highest exit code that counts as the program's own choice. Shells use higher ones for signals. */
const LAST_OWN_CODE = 127;

/** Tells on standard error how a step ended, unless it ended by itself. */
export function reportEnd(
  { name, cause, exitCode, oomKills }: StepResult,
  { stopSignal, wasKilled, what = `step ${name}` }: HowStopped,
): void {
  const word = CAUSE_TEXTS[cause];
  const ignored =
    (cause === "timeout" || cause === "aborted") &&
    exitCode === KILLED &&
    !wasKilled &&
    !/^(?:SIG)?KILL$|^9$/.test(stopSignal ?? "")
      ? IGNORED_STOP_SIGNAL
      : "";
  if (word !== undefined) console.error(`wfe-containerd: ${what}: ${word}${ignored}`);
  if (oomKills === 0 || cause === "oom") return;
  const processes = oomKills === 1 ? "1 of its processes" : `${oomKills} of its processes`;
  console.error(`wfe-containerd: step ${name}: the kernel killed ${processes} at its memory limit`);
}

/**
 * Returns the command's exit code for a step: the step's own exit code, or 125 if that is unknown. After a
 * time-out it is 124. If the output could not be stored, it is never 0. Such steps may have exited with 0.
 */
export function exitCodeOf({ exitCode, cause }: StepResult): number {
  if (cause === "timeout") return TIMED_OUT;
  if (cause === "log-io-failed") return exitCode || FAILED;
  return exitCode ?? FAILED;
}

/**
 * Returns the exit code of a command that a signal may have reached while its steps ran: then 128 plus the
 * signal's number, so that the sender sees that the command obeyed. If the step chose an exit code of its own
 * (1 to 127), or a second signal killed the step, the step's exit code is kept.
 */
export function exitCodeWith({ received, kill }: StopSignals, code: number): number {
  const isOwn = code !== 0 && code <= LAST_OWN_CODE;
  return received === undefined || isOwn || kill.aborted ? code : codeOfSignal(received);
}

/** Whether an error only follows from a signal: the step did not start, or nobody reads its output now. */
export function isFromSignal(reason: unknown): boolean {
  return isExecutorError(reason, "aborted") || reason instanceof OutputError;
}
