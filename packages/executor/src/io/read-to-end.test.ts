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

test("without a forced kill, the end is waited for", async () => {
  const forceKill = new AbortController();
  let isRead = false;
  void readToEnd(endless, forceKill.signal).then(() => {
    isRead = true;
  });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(isRead).toBe(false);
});

test.each([
  ["before", 0],
  ["while it is read", 10_000],
])(
  "after a forced kill %s, reading goes on for two seconds, and some output is not read",
  async (_, afterMs) => {
    const forceKill = new AbortController();
    if (afterMs === 0) forceKill.abort();
    const reading = readToEnd(endless, forceKill.signal);
    await vi.advanceTimersByTimeAsync(afterMs);
    forceKill.abort();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await reading).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  },
);

test("what is read in time is whole, after a forced kill or not", async () => {
  for (const signal of [AbortSignal.abort(), new AbortController().signal]) {
    expect(await readToEnd({ finish: async () => true } as StepIo, signal)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  }
});
