import { refuse } from "./refuse.js";

/** A signal: its name, with or without `SIG`, or its number on Linux: `SIGTERM`, `USR1`, `SIGRTMIN+3`, 15. */
export type Signal = NodeJS.Signals | number | (string & {});

/**
 * The names of Linux's signals 1 to 31, in order. The daemon runs on Linux, even if this process does not. A
 * few architectures that containers rarely run on number them differently.
 */
const NAMES =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );
/** The first and the last real-time signal that the C library leaves to programs. */
const RTMIN = 34;
const RTMAX = 64;

/**
 * The signal's number on Linux.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function signalNumber(signal: Signal): number {
  const number = toNumber(signal);
  if (number !== undefined) return number;
  return refuse(
    `signal: ${JSON.stringify(signal)} is not a signal`,
    `a name or a number from 1 to ${RTMAX}, for example SIGTERM, USR1, SIGRTMIN+3, 15`,
  );
}

/** Whether Linux has this signal. */
export function isSignal(signal: Signal): boolean {
  return toNumber(signal) !== undefined;
}

function toNumber(signal: Signal): number | undefined {
  const number = typeof signal === "number" ? signal : parse(signal.toUpperCase().replace(/^SIG/, ""));
  const isOne = number !== undefined && Number.isInteger(number) && number >= 1 && number <= RTMAX;
  return isOne ? number : undefined;
}

function parse(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const realTime = /^RT(?:MIN(?:\+(\d+))?|MAX(?:-(\d+))?)$/.exec(name);
  if (realTime !== null) {
    return name.startsWith("RTMIN") ? RTMIN + Number(realTime[1] ?? 0) : RTMAX - Number(realTime[2] ?? 0);
  }
  const index = NAMES.indexOf(name);
  return index === -1 ? undefined : index + 1;
}
