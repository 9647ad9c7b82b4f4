import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSize } from "./size.js";

test.each([
  ["1024", 1024],
  ["512m", 512 * 1024 ** 2],
  ["1G", 1024 ** 3],
  ["64KiB", 64 * 1024],
  ["64kb", 64 * 1024],
  ["1.5g", 1.5 * 1024 ** 3],
  ["10 MiB", 10 * 1024 ** 2],
  ["7b", 7],
])("%s is %d bytes", (text, expected) => {
  expect(parseSize(text)).toBe(expected);
});

test.each(["", "m", "-1m", "1x", "1mm", "0x10", "1e3", "1ib", "99999999t", "NaN"])(
  "%j is no size",
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test("any text is read or not, and never thrown at", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseSize(text);
      expect(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0)).toBe(true);
    }),
  );
});
