import { expect, test } from "vitest";
import { endOf, headingOf, prefixesOf, summaryOf } from "./step-progress.js";

test("the heading of a step", () => {
  expect(headingOf({ name: "test", image: "alpine:3.20" }, 1, 3)).toBe("==> [2/3] test (alpine:3.20)");
});

test("prefixes are as wide as the longest name on a terminal", async () => {
  expect(await prefixesOf(["a", "日本", "test"])).toEqual(["a    | ", "日本 | ", "test | "]);
  expect(await prefixesOf(["a", "test"])).toEqual(["a    | ", "test | "]);
});

test.each([
  ["exit", 4, ["deploy", "tell"], "==> step test: failed (exit code 4); not run: deploy, tell"],
  ["timeout", 143, [], "==> step test: ran longer than its time-out (exit code 143); it was the last one"],
  ["not-run", null, ["c"], "==> step test: could not be run; not run: c"],
  ["no-result", null, [], "==> step test: was started, but has no result; it was the last one"],
  ["unknown", null, ["b"], "==> step test: the daemon no longer knows how the step ended; not run: b"],
] as const)("the summary of a step that ended by %s", (cause, exitCode, left, expected) => {
  expect(summaryOf({ name: "test", cause, exitCode }, left)).toBe(expected);
});

test("the end of a step beside others", () => {
  expect(endOf("test", { reason: "exit code 0" })).toBe("==> step test: exit code 0");
});
