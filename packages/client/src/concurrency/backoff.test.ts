import { expect, test } from "vitest";
import { createBackoff } from "./backoff.js";

test("waits twice as long each time, up to a second, and begins anew after a reset", async () => {
  const waits: number[] = [];
  const backoff = createBackoff(async (delayMs) => void waits.push(delayMs));
  for (let tries = 0; tries < 7; tries++) await backoff.wait();
  backoff.reset();
  await backoff.wait();
  expect(waits).toEqual([50, 100, 200, 400, 800, 1000, 1000, 50]);
});

test("an abort ends the wait", async () => {
  await expect(createBackoff().wait(AbortSignal.abort())).rejects.toThrow("aborted");
});
