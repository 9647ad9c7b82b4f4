import { describe, expect, test } from "vitest";
import { createThroughputMonitor } from "./throughput.js";

describe("createPace", () => {
  test("gives up what brings less than 1 KiB a second, once that is sure", () => {
    const isFastEnough = createThroughputMonitor(60_000);
    expect(isFastEnough(1, 59_999)).toBe(true);
    expect(isFastEnough(1, 1)).toBe(false);
  });

  test("keeps what is slow and steady, however long it takes", () => {
    const isFastEnough = createThroughputMonitor(60_000);
    for (let second = 0; second < 1000; second++) expect(isFastEnough(1024, 1000)).toBe(true);
  });

  test("looks at what was waited for last: what came before does not make up for it", () => {
    const isFastEnough = createThroughputMonitor(60_000);
    expect(isFastEnough(1_000_000_000, 60_000)).toBe(true);
    expect(isFastEnough(1, 60_000)).toBe(false);
  });

  test("does not count the time in which nobody waits", () => {
    const isFastEnough = createThroughputMonitor(60_000);
    for (let count = 0; count < 1000; count++) expect(isFastEnough(1, 0)).toBe(true);
  });
});
