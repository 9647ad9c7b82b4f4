import { constants } from "node:os";
import { expect, test } from "vitest";
import { isSignal, signalNumber } from "./signal.js";

test("names have Linux's numbers", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (["SIGIOT", "SIGPOLL", "SIGUNUSED"].includes(name)) continue;
    expect([name, signalNumber(name)]).toEqual([name, number]);
  }
});

test.each([
  ["TERM", 15],
  ["sigusr1", 10],
  ["9", 9],
  [17, 17],
  ["SIGRTMIN+3", 37],
  ["RTMIN", 34],
  ["SIGRTMAX-1", 63],
])("%s is %d", (signal, number) => {
  expect(signalNumber(signal)).toBe(number);
  expect(isSignal(signal)).toBe(true);
});

test.each(["", "SIG", "SIGNOPE", "0", "65", 0, -1, 1.5, "SIGRTMIN+99", "RTMIN+"])("%j is none", (signal) => {
  expect(isSignal(signal)).toBe(false);
  expect(() => signalNumber(signal)).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
});
