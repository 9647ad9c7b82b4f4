import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPatience } from "./patience.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function create() {
  const stop = new AbortController();
  const forceKill = new AbortController();
  const patience = createPatience({ stop: stop.signal, forceKill: forceKill.signal });
  return { stop, forceKill, patience };
}

test("a step without a process does not wait once it is stopped", () => {
  const { stop, patience } = create();
  expect(patience.signal.aborted).toBe(false);
  stop.abort();
  expect(patience.signal.aborted).toBe(true);
});

test("a process has its grace period, from the first reason to end it", async () => {
  const { stop, patience } = create();
  patience.setGrace(5_000);
  patience.end();
  await vi.advanceTimersByTimeAsync(4_900);
  stop.abort();
  expect(patience.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(100);
  expect(patience.signal.aborted).toBe(true);
});

test("a killed process, and one without a grace period, wait for a daemon that is just coming back", async () => {
  for (const [graceMs, kill] of [
    [60_000, true],
    [0, false],
  ] as const) {
    const { stop, forceKill, patience } = create();
    patience.setGrace(graceMs);
    stop.abort();
    if (kill) forceKill.abort();
    await vi.advanceTimersByTimeAsync(2_900);
    expect(patience.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    expect(patience.signal.aborted).toBe(true);
    patience[Symbol.dispose]();
  }
  const early = create();
  early.forceKill.abort();
  expect(early.patience.signal.aborted).toBe(true);
});

test("a disposed one has no timer", () => {
  const { stop, forceKill, patience } = create();
  patience.setGrace(1_000);
  stop.abort();
  forceKill.abort();
  patience[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});
