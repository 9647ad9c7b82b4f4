import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.js";

test.each([
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["500ms", 500],
  ["1.5s", 1_500],
  ["1d", 86_400_000],
])("%s is %d ms", (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each([
  "",
  "30",
  "s",
  "-1s",
  "1s1h",
  "1s 2s",
  "1S",
  "1e3s",
  "1m1m",
  `${"9".repeat(30)}d`,
  "1 s",
  "Infinitys",
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test("what is formatted reads back as the same", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (durationMs) => {
      expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
    }),
  );
});

test("any text is read or not, and never thrown at", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseDuration(text);
      expect(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0)).toBe(true);
    }),
  );
});

test("a text that goes on and on is no duration, and is not looked through", () => {
  expect(parseDuration("1".repeat(1_000_000))).toBeUndefined();
});
