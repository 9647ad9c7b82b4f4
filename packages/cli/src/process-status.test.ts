import { expect, test } from "vitest";
import { formatCpuTime, parseProcess } from "./process-status.js";

const STATUS = "Name:\tsh\nUid:\t65534\t65534\t65534\t65534\n";

test("a process's state, parent, user, time and command", () => {
  const stat = "7 (sh -c) ) S 1 7 7 0 -1 4194560 100 0 0 0 150 51 0 0 20 0 1 0 100 0 0";
  expect(parseProcess(7, { stat, status: STATUS, cmdline: "sh\0-c\0a b\0" })).toEqual({
    pid: 7,
    parent: 1,
    user: 65534,
    state: "S",
    cpuTimeMs: 2010,
    command: "sh -c a b",
  });
});

test("a zombie has its name only", () => {
  const stat = "7 (dead) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100";
  expect(parseProcess(7, { stat, status: STATUS, cmdline: "" })).toMatchObject({
    state: "Z",
    command: "[dead]",
  });
});

test.each([
  ["", STATUS],
  ["7 (x) S 1", STATUS],
  ["7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20", ""],
])("what is no process is left out: %j", (stat, status) => {
  expect(parseProcess(7, { stat, status, cmdline: "" })).toBeUndefined();
});

test("CPU time as ps prints it", () => {
  expect(formatCpuTime(0)).toBe("00:00:00");
  expect(formatCpuTime(3_723_999)).toBe("01:02:03");
});
