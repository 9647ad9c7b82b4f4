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
  patience.setGrace(1_000);
  patience.end();
  await vi.advanceTimersByTimeAsync(900);
  stop.abort();
  expect(patience.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(100);
  expect(patience.signal.aborted).toBe(true);
});

test("a forced kill ends it at once, and a disposed one has no timer", async () => {
  const killed = create();
  killed.patience.setGrace(1_000);
  killed.forceKill.abort();
  expect(killed.patience.signal.aborted).toBe(true);

  const { stop, patience } = create();
  patience.setGrace(1_000);
  stop.abort();
  patience[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});
