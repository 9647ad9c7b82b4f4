import fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeTimeout, toTimeoutHeader } from "./deadline.js";

test.each([
  [undefined, undefined],
  [0, undefined],
  [-1, undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [2 ** 31, undefined],
  [2 ** 31 - 1, 2 ** 31 - 1],
  [0.5, 0.5],
])("a time-out of %s ms is %s", (given, expected) => {
  expect(normalizeTimeout(given)).toBe(expected);
});

test("the header has at most 8 digits, and never less time than was given", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-3, max: 2 ** 31 - 1, noNaN: true }), (timeoutMs) => {
      const [, digits = "", unit] = /^(\d{1,8})([mS])$/.exec(toTimeoutHeader(timeoutMs)) ?? [];
      const ms = Number(digits) * (unit === "S" ? 1000 : 1);
      expect(ms).toBeGreaterThanOrEqual(timeoutMs);
      expect(ms).toBeLessThan(timeoutMs + 1001);
    }),
  );
});
