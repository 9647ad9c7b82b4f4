import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StepIo } from "./io.js";
import { readToEnd } from "./read-to-end.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Output that never ends. */
const endless = { finish: () => new Promise<boolean>(() => undefined) } as StepIo;

test("nobody is in a hurry: the end is waited for", async () => {
  const hurry = new AbortController();
  let isRead = false;
  void readToEnd(endless, hurry.signal).then(() => {
    isRead = true;
  });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(isRead).toBe(false);
});

test.each([
  ["before", 0],
  ["while it is read", 10_000],
])("somebody is in a hurry, %s: two seconds more, and some is not read", async (_, afterMs) => {
  const hurry = new AbortController();
  if (afterMs === 0) hurry.abort();
  const reading = readToEnd(endless, hurry.signal);
  await vi.advanceTimersByTimeAsync(afterMs);
  hurry.abort();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await reading).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test("what is read in time is whole, in a hurry or not", async () => {
  for (const signal of [AbortSignal.abort(), new AbortController().signal]) {
    expect(await readToEnd({ finish: async () => true } as StepIo, signal)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  }
});
