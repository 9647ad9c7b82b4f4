import { afterEach, beforeEach, expect, type Mock, test, vi } from "vitest";
import type { StreamEnd } from "../core/output/step-log.js";
import type { OutputStream, StepIo } from "./io.js";
import { readToEnd } from "./read-to-end.js";

let started: Mock<typeof setTimeout>;
let cancelled: Mock<typeof clearTimeout>;

beforeEach(() => {
  vi.useFakeTimers();
  started = vi.spyOn(globalThis, "setTimeout");
  cancelled = vi.spyOn(globalThis, "clearTimeout");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/**
 * Whether the timer of two seconds was started and is cancelled. Other test files of this worker may still
 * have timers, so timers are not counted.
 */
function isTimerCancelled(): boolean {
  const timers = started.mock.results.filter((_, at) => started.mock.calls[at]?.[1] === 2_000);
  return (
    timers.length > 0 && timers.every(({ value }) => cancelled.mock.calls.some(([one]) => one === value))
  );
}

/** Output that never ends. */
const endless = { finish: () => new Promise<StreamEnd>(() => undefined) } as unknown as StepIo;

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
    expect(await reading).toEqual({ stdout: "not-read", stderr: "not-read" });
    expect(isTimerCancelled()).toBe(true);
  },
);

test("each stream has its own end: one that is whole stays whole after a forced kill", async () => {
  const io = {
    finish: (stream: OutputStream) =>
      stream === "stdout" ? Promise.resolve("whole") : new Promise(() => undefined),
  } as StepIo;
  const reading = readToEnd(io, AbortSignal.abort());
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await reading).toEqual({ stdout: "whole", stderr: "not-read" });
});

test("what is read in time is whole, after a forced kill or not", async () => {
  const io = { finish: async () => "whole" } as unknown as StepIo;
  for (const signal of [AbortSignal.abort(), new AbortController().signal])
    expect(await readToEnd(io, signal)).toEqual({ stdout: "whole", stderr: "whole" });
  expect(isTimerCancelled()).toBe(true);
});
