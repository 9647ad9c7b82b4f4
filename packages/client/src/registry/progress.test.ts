import { describe, expect, test } from "vitest";
import type { Clock } from "../concurrency/clock.js";
import { createProgressReporter, type TransferProgress } from "./progress.js";

function setUp() {
  let nowMs = 0;
  const clock: Clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, sleep: async () => undefined };
  const seen: TransferProgress[] = [];
  const { report } = createProgressReporter((progress) => seen.push(progress), clock);
  const blob = { mediaType: "m", digest: "d", size: 1000 };
  return {
    seen,
    at: (ms: number, state: TransferProgress["state"], offset: number) => {
      nowMs = ms;
      report(blob, state, offset);
    },
  };
}

describe("createProgressReporter", () => {
  test("reports each change of state, and movement at intervals with its rate", () => {
    const { seen, at } = setUp();
    at(0, "waiting", 0);
    at(1, "waiting", 0);
    at(2, "fetching", 0);
    at(50, "fetching", 100);
    at(102, "fetching", 200);
    at(103, "done", 1000);
    expect(seen.map(({ state, offset, bytesPerSecond }) => [state, offset, bytesPerSecond])).toEqual([
      ["waiting", 0, 0],
      ["fetching", 0, 0],
      ["fetching", 200, 2000],
      ["done", 1000, 0],
    ]);
    expect(seen[0]).toEqual({ what: "d", state: "waiting", offset: 0, total: 1000, bytesPerSecond: 0 });
  });
});
