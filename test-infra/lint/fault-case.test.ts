import { expect, test } from "vitest";
import { rowsTested } from "./test-names.js";

/**
 * Faults between us, a registry, the daemon, the machine and the disk, and what is right then. A test's name
 * says which ones it shows: `fault case 12`.
 */
const CASES: readonly string[] = [
  "a daemon that is killed and started again in the middle of a step takes neither its exit code nor its log",
  "a daemon that is stopped: every call meets its deadline, the error blames the daemon, and the result comes later",
  "a step that ends while the daemon is down has its true code, or the cause is `unknown`",
  "a step of an executor that was killed has labels and a deadline, and is adopted or stopped; gaps are told",
  "an executor that dies between a step's end and its result: another one has the code, and nothing runs twice",
  "a shim that is killed is told from a signal to the step, and nothing of the step is left",
  "a first process that dies before it is started is an error of the runtime",
  "memory that runs out is told by the kernel's counters, whoever was killed, and if the event was lost",
  "a full disk for a step's output is noticed, and the result says where output is missing",
  "a full disk of the snapshotter is told as the reason, and leaves nothing",
  "a registry that answers 429 or 5xx is asked again, in time and when it says; 401, 403 and 404 are not",
  "a body that is cut is gone on with by Range, from what the daemon has",
  "bytes of another digest or size are dropped, and never unpacked",
  "a transfer that stalls ends by a time-out on no bytes; waiting for another's lock is no stall",
  "two that pull one image download it once",
  "a pull that is aborted leaves no ingest and no lease",
  "an image that is removed while a container is made of it stays as long",
  "a path over TCP that goes silent is noticed; nothing is said of the step until it is healed",
  "a clock that jumps by an hour moves no deadline",
  "a step that ignores its stop signal is killed with all of its processes, and waited for only so long",
  "a background process that keeps the output open holds nothing up",
  "a step that ends at once has its code and all of its output, each of a thousand times",
  "NULs, bytes that are no text, a very long line and no newline at its end arrive to the byte",
  "every exit code is told as it is, signals as such, 126 and 127 for no program; a fork bomb has a limit",
];

/**
 * Fault case 25, ten thousand steps while everything is killed at random, has no test here: `npm run soak`
 * runs them, and takes hours.
 */

/**
 * Faults that were once found, each with what is right then. A test's name says which ones it shows: `F12`.
 */
const FOUND: readonly string[] = [
  "a daemon that is killed and comes back, in each phase",
  "a daemon that is stopped for longer than calls wait, in each phase",
  "a path over TCP that is cut, in each phase",
  "a daemon that never comes back: time-outs and closing end in their time, and `gc` ends the step later",
  "a release that fails hides neither result nor error",
  "a deletion by runc that fails or is slow takes nothing from a known exit code",
  "a signal that runc does not deliver is sent again, and then SIGKILL",
  "a shim that is stopped: its step stays visible, and is ended when the shim answers",
  "control groups that runc leaves when it is killed are removed",
  "a disk that fills up before the last bytes of a step: it has failed, and the place is told",
  "a disk that is full for a moment: the step is stopped, as the shim copies no more",
  "a disk that one step fills: that step is stopped, and no other one",
  "a disk that is full before a step: the error names the directory",
  "a step's time-out outlives its executor",
  "the exit code of a step whose executor died is read from its task",
  "directories of processes that were killed are removed",
  "a daemon on a Unix socket that hangs is noticed, and told",
  "finding out why the daemon is away never makes its absence another error",
  "a clock two days behind the daemon's: leases live as long as they were asked for",
  "`gc` goes on behind a step that cannot be ended",
  "a machine that dies, or a path that is cut, while a container is made leaves nothing that `gc` does not find",
  "an import whose daemon is killed leaves nothing",
  "steps wait for a daemon that is killed again and again",
];

test.each([
  ["fault case ", CASES],
  ["F", FOUND],
])("every fault that is named by %j and a number has a test that says so", async (prefix, rows) => {
  const tested = await rowsTested(prefix);
  const missing = rows
    .map((what, at) => `${prefix}${at + 1}: ${what}`)
    .filter((_, at) => !tested.has(at + 1));
  expect(missing).toEqual([]);
  expect([...tested].filter((row) => row < 1 || row > rows.length)).toEqual([]);
});
