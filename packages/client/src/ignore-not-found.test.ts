import { expect, test } from "vitest";
import { ContainerdError } from "./error.js";
import { ignoreNotFound } from "./ignore-not-found.js";

test("gives the result, undefined for what is not found, and throws any other error", async () => {
  await expect(ignoreNotFound(Promise.resolve(1))).resolves.toBe(1);
  await expect(
    ignoreNotFound(Promise.reject(new ContainerdError("x", { kind: "not-found" }))),
  ).resolves.toBeUndefined();
  await expect(
    ignoreNotFound(Promise.reject(new ContainerdError("x", { kind: "unavailable" }))),
  ).rejects.toMatchObject({ kind: "unavailable" });
});
