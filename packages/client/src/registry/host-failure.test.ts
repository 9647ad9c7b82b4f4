import { describe, expect, test } from "vitest";
import { ContainerdError, type ErrorKind } from "../error.js";
import { failureOf } from "./failure.js";
import { combineFailures, type HostFailure } from "./host-failure.js";

const failed = (
  name: string,
  isTransient: boolean | undefined,
  kind: ErrorKind,
  isServer = false,
): HostFailure => ({
  error: new ContainerdError(name, { kind, cause: isTransient === undefined ? undefined : { isTransient } }),
  isServer,
});

describe("combineFailures", () => {
  test.each([
    [failed("mirror", true, "unavailable"), failed("server", false, "not-found", true), "not-found", false],
    [failed("mirror", false, "not-found"), failed("server", true, "unavailable", true), "unavailable", true],
    [
      failed("mirror", true, "unavailable"),
      failed("server", undefined, "data-loss", true),
      "data-loss",
      false,
    ],
    [
      failed("mirror", true, "unavailable"),
      failed("other", true, "resource-exhausted"),
      "resource-exhausted",
      true,
    ],
    [failed("mirror", false, "not-found"), failed("other", true, "unavailable"), "not-found", false],
    [
      failed("mirror", true, "unavailable"),
      failed("other", false, "unauthenticated"),
      "unauthenticated",
      false,
    ],
  ])("%#: tells of all, and goes by the server, or by what is final", (first, second, kind, isTransient) => {
    const error = combineFailures("app:1", [first, second]);
    expect(error).toMatchObject({
      kind,
      message: `app:1 from no host: ${first.error.message}; ${second.error.message}`,
    });
    expect(failureOf(error)?.isTransient ?? false).toBe(isTransient);
  });

  test("leaves the failure of a single host as it is", () => {
    const only = failed("server", true, "unavailable", true);
    expect(combineFailures("app:1", [only])).toBe(only.error);
  });
});
