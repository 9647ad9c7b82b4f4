import fc from "fast-check";
import { expect, test } from "vitest";
import type { RetryPolicy } from "../step/retry.js";
import { delayBeforeNext, type EndedAttempt } from "./next-attempt.js";

const RETRY: RetryPolicy = { attempts: 3, delayMs: 1_000, backoff: 2, on: ["exit", "daemon-unavailable"] };
const FAILED: EndedAttempt = { number: 1, ok: false, cause: "exit", mayStillRun: false };

test("another attempt follows what failed for a listed cause, as long as attempts are left", () => {
  expect(delayBeforeNext(RETRY, FAILED)).toBe(1_000);
  expect(delayBeforeNext(RETRY, { ...FAILED, number: 2 })).toBe(2_000);
  expect(delayBeforeNext(RETRY, { ...FAILED, number: 3 })).toBeUndefined();
  expect(delayBeforeNext(RETRY, { ...FAILED, ok: true })).toBeUndefined();
  expect(delayBeforeNext(RETRY, { ...FAILED, cause: "timeout" })).toBeUndefined();
});

test("none follows one that may still run, unless an unknown outcome is listed", () => {
  const ended: EndedAttempt = { ...FAILED, cause: "daemon-unavailable" };
  expect(delayBeforeNext(RETRY, ended)).toBe(1_000);
  expect(delayBeforeNext(RETRY, { ...ended, mayStillRun: true })).toBeUndefined();
  const careless: RetryPolicy = { ...RETRY, on: ["daemon-unavailable", "unknown"] };
  expect(delayBeforeNext(careless, { ...ended, mayStillRun: true })).toBe(1_000);
});

test("delays never shrink, and grow to an hour at most unless the first one is longer", () => {
  const retries = fc.record({
    delayMs: fc.nat(10_000_000),
    backoff: fc.double({ min: 1, max: 10, noNaN: true }),
  });
  fc.assert(
    fc.property(retries, fc.integer({ min: 1, max: 98 }), (retry, number) => {
      const policy = { ...RETRY, ...retry, attempts: 100 };
      const delayMs = delayBeforeNext(policy, { ...FAILED, number }) ?? Number.NaN;
      const nextMs = delayBeforeNext(policy, { ...FAILED, number: number + 1 }) ?? Number.NaN;
      expect(nextMs).toBeGreaterThanOrEqual(delayMs);
      expect(nextMs).toBeLessThanOrEqual(Math.max(retry.delayMs, 3_600_000));
      expect(Number.isSafeInteger(nextMs)).toBe(true);
    }),
  );
});
