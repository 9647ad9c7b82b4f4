import type { StepEndCause } from "./cause.js";

/** What was seen of a step's end. */
export interface SeenEnd {
  readonly cause: StepEndCause;
  readonly exitCode: number | null;
  readonly oomKills: number;
}

const HOW: Readonly<Record<StepEndCause, string | undefined>> = {
  exit: undefined,
  signal: undefined,
  // The count of killed processes says it.
  oom: undefined,
  timeout: "ran longer than its time-out, and was stopped",
  aborted: "was stopped",
  "log-io-failed": "its output could not be stored whole",
  "runtime-lost": "its shim died",
  "container-ended": "its container ended",
  unknown: "the daemon no longer knows how it ended",
};

/** The signals that end programs, by their number on Linux. */
const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};

/** Says in a line how a step ended, without its name. */
export function endReason({ cause, exitCode, oomKills }: SeenEnd): string {
  const killed = oomKills === 1 ? "1 of its processes" : `${oomKills} of its processes`;
  return [
    HOW[cause],
    oomKills === 0 ? undefined : `the kernel killed ${killed} at its memory limit`,
    exitCode === null ? "its exit code is lost" : codeText(exitCode),
  ]
    .filter((part) => part !== undefined)
    .join("; ");
}

function codeText(exitCode: number): string {
  const signal = SIGNALS[exitCode - 128];
  return `exit code ${exitCode}${signal === undefined ? "" : ` (${signal})`}`;
}
