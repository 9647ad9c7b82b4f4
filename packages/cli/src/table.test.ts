import widthOf from "string-width";
import { expect, test } from "vitest";
import { formatAge, layOutTable, shortDigest } from "./table.js";

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

test("a table that is too wide is cut where it is widest, fixed columns last", () => {
  const lines = [
    ["ID", "STEP", "IMAGE"],
    ["wfe-0123456789", "build", "registry.example.com/日本日本日本/app:1"],
  ];
  const fixed = new Set([0]);
  expect(layOutTable({ lines, widthOf, fixed, width: 44 })).toEqual([
    "ID               STEP    IMAGE",
    "wfe-0123456789   build   registry.example.c…",
  ]);
  for (let width = 24; width < 70; width++)
    for (const line of layOutTable({ lines, widthOf, fixed, width }))
      expect(widthOf(line)).toBeLessThanOrEqual(width);
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
