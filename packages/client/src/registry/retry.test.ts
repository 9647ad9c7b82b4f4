import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { DEFAULT_RETRY, parseRetryAfter, retryDelayMs } from "./retry.js";

const policy = { firstDelayMs: 100, longestDelayMs: 1_000, deadlineMs: 5_000 };

describe("retryDelayMs", () => {
  test("doubles up to the cap, and leaves half to chance", () => {
    const delays = [1, 2, 3, 4, 5, 6].map((failures) => retryDelayMs({ failures, elapsedMs: 0 }, policy, 1));
    expect(delays).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(retryDelayMs({ failures: 3, elapsedMs: 0 }, policy, 0)).toBe(200);
  });

  test("waits as long as the registry asks, beyond the cap", () => {
    expect(retryDelayMs({ failures: 1, elapsedMs: 0, retryAfterMs: 3_000 }, policy, 0.5)).toBe(3_000);
  });

  test("does not come back sooner than it would by itself because the registry says so", () => {
    expect(retryDelayMs({ failures: 5, elapsedMs: 0, retryAfterMs: 1 }, policy, 0)).toBe(500);
  });

  test("gives up when the next attempt would come after the deadline", () => {
    expect(
      retryDelayMs({ failures: 1, elapsedMs: 4_950, retryAfterMs: undefined }, policy, 1),
    ).toBeUndefined();
    expect(retryDelayMs({ failures: 1, elapsedMs: 0, retryAfterMs: 5_001 }, policy, 0)).toBeUndefined();
  });

  test("never waits less than half the first delay, nor past the deadline", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.nat(200_000),
        fc.option(fc.nat(200_000), { nil: undefined }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, elapsedMs, retryAfterMs, random) => {
          const delayMs = retryDelayMs({ failures, elapsedMs, retryAfterMs }, DEFAULT_RETRY, random);
          if (delayMs === undefined) return;
          expect(delayMs).toBeGreaterThanOrEqual(DEFAULT_RETRY.firstDelayMs / 2);
          expect(elapsedMs + delayMs).toBeLessThanOrEqual(DEFAULT_RETRY.deadlineMs);
        },
      ),
    );
  });
});

describe("parseRetryAfter", () => {
  const wallMs = Date.parse("2026-01-01T00:00:00Z");

  test.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["Thursday, 01-Jan-26 00:00:30 GMT", 30_000],
    ["Thu Jan  1 00:00:30 2026", 30_000],
    ["-5", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("reads %j", (value, expected) => {
    expect(parseRetryAfter(value, wallMs)).toBe(expected);
  });

  test("reads a date without a zone as GMT, wherever this machine is", () => {
    vi.stubEnv("TZ", "America/New_York");
    try {
      expect(parseRetryAfter("Thu Jan  1 00:00:30 2026", wallMs)).toBe(30_000);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test("never throws, and never gives a negative wait", () => {
    fc.assert(fc.property(fc.string(), (value) => (parseRetryAfter(value, wallMs) ?? 0) >= 0));
  });
});
