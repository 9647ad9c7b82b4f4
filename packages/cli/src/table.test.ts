import widthOf from "string-width";
import { expect, test } from "vitest";
import { formatAge, layOutTable, shortDigest, shortStepId } from "./table.js";

test("columns line up on a terminal, whatever characters their cells have", () => {
  const lines = [
    ["NAME", "SIZE"],
    ["日本", "1"],
    ["e\u0301", "2"],
    ["plain", "3"],
  ];
  expect(layOutTable({ lines, widthOf })).toEqual([
    "NAME    SIZE",
    "日本    1",
    "e\u0301       2",
    "plain   3",
  ]);
});

test("a table that is too wide has smaller gaps, and is cut: loose columns first, fixed ones not", () => {
  const lines = [
    ["ID", "STEP", "IMAGE", "OWNER"],
    ["wfe-0123456789", "build", "example.com/日本日本日本/app:1", "machine/1234"],
  ];
  const layout = { lines, widthOf, fixed: new Set([0]), loose: new Set([3]) };
  expect(layOutTable({ ...layout, width: 65 })).toEqual([
    "ID              STEP   IMAGE                           OWNER",
    "wfe-0123456789  build  example.com/日本日本日本/app:1  machine/1…",
  ]);
  expect(layOutTable({ ...layout, width: 45 })).toEqual([
    "ID              STEP   IMAGE           OWNER",
    "wfe-0123456789  build  example.com/…   machi…",
  ]);
  for (let width = 24; width < 80; width++)
    for (const line of layOutTable({ ...layout, width })) expect(widthOf(line)).toBeLessThanOrEqual(width);
});

test("where no table fits, each row is a block", () => {
  const lines = [
    ["ID", "STEP", "IMAGE"],
    ["wfe-0123456789", "build", "registry.example.com/app:1"],
    ["wfe-9876543210", "", "app"],
  ];
  expect(layOutTable({ lines, widthOf, fixed: new Set([0]), width: 24 })).toEqual([
    "ID     wfe-0123456789",
    "STEP   build",
    "IMAGE  registry.example…",
    "",
    "ID     wfe-9876543210",
    "STEP",
    "IMAGE  app",
  ]);
});

test.each([
  [0, "just now"],
  [-5, "just now"],
  [1, "1 second ago"],
  [59, "59 seconds ago"],
  [60, "1 minute ago"],
  [7199, "1 hour ago"],
  [2 * 86_400, "2 days ago"],
  [400 * 86_400, "1 year ago"],
])("%d seconds are %s", (seconds, age) => {
  const now = new Date("2026-01-31T12:00:00Z");
  expect(formatAge(new Date(now.getTime() - seconds * 1000), now)).toBe(age);
});

test("a digest is cut to twelve digits; what is no digest stays", () => {
  expect(shortDigest(`sha256:${"0123456789abcdef".repeat(4)}`)).toBe("sha256:0123456789ab");
  expect(shortDigest("other")).toBe("other");
});

test("the id of a step is cut to twelve digits; what is no id of a step stays", () => {
  expect(shortStepId("wfe-0123456789abcdef0123")).toBe("wfe-0123456789ab");
  expect(shortStepId("probe-0123456789abcdef0123")).toBe("probe-0123456789abcdef0123");
});
