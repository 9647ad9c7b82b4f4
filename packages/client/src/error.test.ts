import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { callService } from "./call.js";
import { ContainerdError, isContainerdError } from "./error.js";

const KINDS = [
  [Code.Canceled, "canceled"],
  [Code.Unknown, "unknown"],
  [Code.InvalidArgument, "invalid-argument"],
  [Code.DeadlineExceeded, "deadline-exceeded"],
  [Code.NotFound, "not-found"],
  [Code.AlreadyExists, "already-exists"],
  [Code.PermissionDenied, "permission-denied"],
  [Code.ResourceExhausted, "resource-exhausted"],
  [Code.FailedPrecondition, "failed-precondition"],
  [Code.Aborted, "aborted"],
  [Code.OutOfRange, "out-of-range"],
  [Code.Unimplemented, "not-implemented"],
  [Code.Internal, "internal"],
  [Code.Unavailable, "unavailable"],
  [Code.DataLoss, "data-loss"],
  [Code.Unauthenticated, "unauthenticated"],
] as const;

test.each(KINDS)("code %i is of kind %s", (code, kind) => {
  const cause = new ConnectError("words", code);
  const error = ContainerdError.from(cause, "create container web-1");
  expect(error).toMatchObject({
    name: "ContainerdError",
    kind,
    code,
    operation: "create container web-1",
    message: "create container web-1: words",
    cause,
  });
  expect(isContainerdError(error)).toBe(true);
  expect(isContainerdError(error, kind)).toBe(true);
  expect(isContainerdError(error, kind === "unknown" ? "internal" : "unknown")).toBe(false);
});

test("every code has a kind", () => {
  expect(KINDS.map(([code]) => code)).toEqual(Object.values(Code).filter((code) => typeof code === "number"));
});

test.each([
  [new DOMException("This operation was aborted", "AbortError"), "canceled"],
  [AbortSignal.timeout(0).reason ?? new DOMException("timed out", "TimeoutError"), "canceled"],
  [new TypeError("odd"), "unknown"],
  ["a string", "unknown"],
  [undefined, "unknown"],
])("%s is of kind %s", (reason, kind) => {
  const error = ContainerdError.from(reason);
  expect(error).toMatchObject({ kind, operation: undefined, cause: reason, code: undefined });
});

test("one of ours passes through as it is", async () => {
  const error = new ContainerdError("words", { kind: "aborted", operation: "do this" });
  expect(ContainerdError.from(error, "do that")).toBe(error);
  await expect(callService("do that", () => Promise.reject(error))).rejects.toBe(error);
});

test("a call's failure says what was asked", async () => {
  const failing = callService("get lease l", () => Promise.reject(new ConnectError("gone", Code.NotFound)));
  const error: unknown = await failing.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ message: "get lease l: gone", kind: "not-found" });
  expect(isContainerdError(new Error("get lease l: gone"))).toBe(false);
});
