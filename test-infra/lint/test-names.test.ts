import { expect, test } from "vitest";
import { rowsNamed } from "./test-names.js";

const rows = (source: string): number[] => rowsNamed("bad input ", source);

test("names alone are seen", () => {
  expect(rows('test("bad input 3: x", () => {});\ndescribe("bad input 4", f);')).toEqual([3, 4]);
  expect(rows('test.each([["a"]])("bad input 12: %s", f);')).toEqual([12]);
  expect(rows('// bad input 5\nconst a = "bad input 6";')).toEqual([]);
  expect(rows('test("fault case 7", f);')).toEqual([]);
  expect(rows('test.each(CASES)(\n  "a step\'s %s (bad input 8)",')).toEqual([8]);
  expect(rows('test.each(["a"] as const)(`${COUNT} of "them", bad input 9`, f);')).toEqual([9]);
  expect(rowsNamed("F", 'test("of a disk (fault case 2, F10)", f);')).toEqual([10]);
});

test("what is skipped, or still to do, shows nothing", () => {
  expect(
    rows('test.skip("bad input 3", f);\ndescribe.todo("bad input 4");\ntest.skipIf(a)("bad input 5", f)'),
  ).toEqual([]);
});
