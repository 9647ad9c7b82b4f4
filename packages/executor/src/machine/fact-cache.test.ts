import type { Client } from "@wfe-containerd/client";
import { afterEach, expect, test, vi } from "vitest";
import type { MachineFacts } from "../core/plan/machine-facts.js";
import { createFactCache } from "./fact-cache.js";

afterEach(() => void vi.useRealTimers());

/** A daemon whose answers are numbered, and whose connection the test can cut. */
function createNumbered(fail: readonly number[] = []) {
  let asked = 0;
  let disconnects = 0;
  const describe = async (): Promise<MachineFacts> => {
    asked++;
    if (fail.includes(asked)) throw new Error("away");
    return { locality: "remote", platform: { os: "linux", architecture: "amd64" }, cpuCount: asked };
  };
  const facts = createFactCache({ disconnects: () => disconnects } as Client, describe);
  return { number: async () => (await facts()).cpuCount, cut: () => void disconnects++ };
}

test("facts are asked for once, also by steps that start together", async () => {
  const { number } = createNumbered();
  expect(await Promise.all([number(), number()])).toEqual([1, 1]);
  expect(await number()).toBe(1);
});

test("they are asked for again after the connection was lost, also while they are on their way", async () => {
  const { number, cut } = createNumbered();
  const first = number();
  cut();
  expect(await Promise.all([first, number()])).toEqual([1, 2]);
  expect(await number()).toBe(2);
  cut();
  expect(await number()).toBe(3);
});

test("they are asked for again after ten minutes", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const { number } = createNumbered();
  await number();
  vi.advanceTimersByTime(10 * 60_000 - 1);
  expect(await number()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(await number()).toBe(2);
});

test("a failure is not remembered", async () => {
  const { number } = createNumbered([1]);
  await expect(number()).rejects.toThrow("away");
  expect(await number()).toBe(2);
});
