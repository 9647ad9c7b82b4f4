import { describe, expect, test } from "vitest";
import { answerError, failureOf, isTransientStatus, transportError } from "./failure.js";

describe("isTransientStatus", () => {
  test.each([
    408, 425, 429, 499, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 525, 526, 527, 530, 598, 599,
  ])("%d may be another the next time", (status) => {
    expect(isTransientStatus(status)).toBe(true);
  });

  test.each([
    200, 301, 400, 401, 403, 404, 405, 409, 410, 416, 418, 451, 501, 505, 506, 508, 510, 511, 600, 999,
  ])("%d will be the same the next time", (status) => {
    expect(isTransientStatus(status)).toBe(false);
  });
});

describe("answerError", () => {
  test.each([
    [499, "unavailable"],
    [507, "unavailable"],
    [599, "unavailable"],
    [501, "not-implemented"],
    [400, "failed-precondition"],
  ])("gives a %d the kind %s", (status, kind) => {
    const answer = { status, text: "", retryAfter: undefined };
    expect(answerError("it", answer, (text) => text, 0)).toMatchObject({
      kind,
      message: `it answers ${status}`,
    });
  });
});

describe("transportError", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

  test.each([
    [refused, true, true],
    [refused, false, false],
    [new AggregateError([refused, refused]), false, false],
    [Object.assign(new Error("reset"), { code: "ECONNRESET" }), false, true],
  ])("of %s, where it may come back: %s, is transient: %s", (reason, mayComeBack, isTransient) => {
    const error = transportError("it", reason, mayComeBack);
    expect(error.kind).toBe("unavailable");
    expect(failureOf(error)?.isTransient).toBe(isTransient);
  });
});
