import { expect, test } from "vitest";
import { findLogWarnings } from "./log-warnings.js";
import type { StepLog } from "./step-log.js";

const stream = { bytes: 9, tail: "", omittedBytes: 0 };
const step = { directory: "/io/a", maxLogBytes: 100, isOverLimit: false };

function logOf(gaps: StepLog["gaps"]): StepLog {
  return { complete: gaps.length === 0, gaps, stdout: stream, stderr: stream };
}

test("output that could not be stored: the warning names the directory and the place", () => {
  const log = logOf([{ stream: "stderr", offset: 9, reason: "not-stored" }]);
  expect(findLogWarnings({ ...step, log })).toEqual([
    { field: "ioDir", message: expect.stringMatching(/after byte 9 of stderr: .* \/io\/a, .*another disk$/) },
  ]);
});

test("a limit: the warning says what is not kept, or that the step was stopped, and what to change", () => {
  const log = logOf([{ stream: "stdout", offset: 100, bytes: 7, reason: "log-limit" }]);
  expect(findLogWarnings({ ...step, log }).map(({ message }) => message)).toEqual([
    "max_log_bytes: 7 bytes of stdout from byte 100 on are not kept, because the step printed more than 100 bytes",
  ]);
  expect(findLogWarnings({ ...step, log: logOf([]), isOverLimit: true })).toEqual([
    {
      field: "max_log_bytes",
      message: expect.stringContaining("more than 100 bytes and was stopped; allowed:"),
    },
  ]);
});

test("a whole log, and output that its caller did not want to wait for, have no warning", () => {
  expect(findLogWarnings({ ...step, log: logOf([]) })).toEqual([]);
  const log = logOf([{ stream: "stdout", offset: 9, reason: "not-read" }]);
  expect(findLogWarnings({ ...step, log })).toEqual([]);
});
