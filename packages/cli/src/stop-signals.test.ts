import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { catchStopSignals } from "./stop-signals.js";

// A signal that nothing else in this process listens for.
const SIGNAL = "SIGALRM";

let now = 0;
beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

test("the same signal twice at once, as timeout(1) sends it, counts once; later it counts again", () => {
  using signals = catchStopSignals();
  process.emit(SIGNAL, SIGNAL);
  now += 249;
  process.emit(SIGNAL, SIGNAL);
  expect([signals.received, signals.stop.aborted, signals.kill.aborted]).toEqual([SIGNAL, true, false]);
  now += 1;
  process.emit(SIGNAL, SIGNAL);
  expect(signals.kill.aborted).toBe(true);
});

test("another signal counts at once", () => {
  using signals = catchStopSignals();
  process.emit(SIGNAL, SIGNAL);
  process.emit("SIGXCPU", "SIGXCPU");
  expect([signals.received, signals.kill.aborted]).toEqual([SIGNAL, true]);
});
