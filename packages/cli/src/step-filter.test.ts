import { expect, test } from "vitest";
import { parseStepFilters } from "./step-filter.js";

const STEP = {
  id: "wfe-aa01",
  name: "build-app",
  image: "docker.io/library/alpine:3.20",
  status: "running",
  labels: { team: "ci", empty: "" },
};

test.each([
  [[], true],
  [["name=build"], true],
  [["name=test"], false],
  [["name=test", "name=app"], true],
  [["name=build", "status=stopped"], false],
  [["id=wfe-aa"], true],
  [["id=aa"], true],
  [["id=01"], false],
  [["status=running"], true],
  [["status=exited"], false],
  [["ancestor=alpine"], true],
  [["ancestor=alpine:3.20"], true],
  [["ancestor=docker.io/library/alpine"], true],
  [["ancestor=alpine:3.19"], false],
  [["ancestor=pine"], false],
  [["label=team"], true],
  [["label=team=ci"], true],
  [["label=team=qa"], false],
  [["label=team", "label=other"], false],
  [["label=empty="], true],
  [["label=constructor"], false],
])("%j: %s", (filters, expected) => {
  expect(parseStepFilters(filters)(STEP)).toBe(expected);
});

test("docker's word for a stopped step is taken", () => {
  expect(parseStepFilters(["status=exited"])({ ...STEP, status: "stopped" })).toBe(true);
});

test.each([["bogus=1"], ["name"], ["name="], [""], ["status=bogus"]])("%j is refused", (filter) => {
  expect(() => parseStepFilters([filter])).toThrow(/^--filter: .*; allowed: /);
});
