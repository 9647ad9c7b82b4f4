import { expect, test } from "vitest";
import { findStep } from "./step-lookup.js";

const STEPS = [
  { id: "wfe-aa01", name: "build" },
  { id: "wfe-aa02", name: "test" },
  { id: "wfe-bb01", name: "test" },
  { id: "wfe-bb02", name: "aa" },
  { id: "wfe-cc01", name: "wfe-bb01" },
  { id: "wfe-dd01", name: "" },
];

test.each([
  ["wfe-aa01", "wfe-aa01"],
  ["build", "wfe-aa01"],
  ["wfe-bb01", "wfe-bb01"],
  ["aa", "wfe-bb02"],
  ["aa01", "wfe-aa01"],
  ["wfe-c", "wfe-cc01"],
  ["c", "wfe-cc01"],
  ["dd", "wfe-dd01"],
])("%s means the step %s: an id before a name, a name before the beginning of an id", (word, id) => {
  expect(findStep(word, STEPS).id).toBe(id);
});

test.each([
  ["test", /^"test" means 2 steps: wfe-aa02 \(test\), wfe-bb01 \(test\); give one of their ids$/],
  ["wfe-", /means 6 steps: .*wfe-dd01; give/],
  ["bb", /means 2 steps/],
  ["none", /^there is no step "none" here$/],
  ["", /^there is no step "" here$/],
  ["a\x1b", /^there is no step "a\\u001b" here$/],
])("%j means no step, or several", (word, message) => {
  expect(() => findStep(word, STEPS, " here")).toThrow(message);
});

test("of many candidates, ten are named", () => {
  const many = Array.from({ length: 30 }, (_, at) => ({ id: `wfe-${at}`, name: "x" }));
  expect(() => findStep("x", many)).toThrow(
    /means 30 steps: (?:wfe-\d+ \(x\), ){9}wfe-9 \(x\) and 20 more; /,
  );
});
