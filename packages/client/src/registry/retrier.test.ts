import { describe, expect, test } from "vitest";
import { ContainerdError } from "../error.js";
import { createRetrier, type Retrier } from "./retrier.js";

const POLICY = { firstDelayMs: 1_000, longestDelayMs: 10_000, deadlineMs: 120_000 };
const broken = new ContainerdError("cut", { kind: "unavailable", cause: { isTransient: true } });

/** Fails repeatedly, each time after `bytes` bytes, until the retrier gives up or an hour has passed. */
async function failAfter(bytes: number): Promise<{ nowMs: number; outcome: string }> {
  let nowMs = 0;
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms;
  };
  const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, sleep };
  const retrier: Retrier = createRetrier(POLICY, clock, { random: () => 1 });
  try {
    while (nowMs < 3_600_000) {
      retrier.progress(bytes);
      await retrier.wait(broken);
    }
  } catch (reason) {
    return { nowMs, outcome: ContainerdError.from(reason).message };
  }
  return { nowMs, outcome: "still at it" };
}

describe("createRetrier", () => {
  test.each([0, 1, 500])(
    "gives up, at the deadline, what brings %d bytes between its failures",
    async (bytes) => {
      const { nowMs, outcome } = await failAfter(bytes);
      expect(outcome).toMatch(/^cut; given up after \d+ attempts in 1[12]\d s$/);
      expect(nowMs).toBeLessThanOrEqual(POLICY.deadlineMs);
    },
  );

  test("goes on, as if nothing had been, with what is slow and is worth it", async () => {
    expect(await failAfter(1024)).toMatchObject({ outcome: "still at it" });
  });

  test("tells of each wait before it begins, but not of the end", async () => {
    const told: unknown[] = [];
    const sleep = async (ms: number): Promise<void> => void told.push(ms);
    const clock = { monotonicMs: () => 0, wallMs: () => 0, sleep };
    const policy = { firstDelayMs: 1_000, longestDelayMs: 10_000, deadlineMs: 3_000 };
    const retrier = createRetrier(policy, clock, {
      random: () => 1,
      onRetry: (retry) => void told.push(retry),
    });
    await retrier.wait(broken);
    await retrier.wait(broken);
    await expect(retrier.wait(broken)).rejects.toThrow("cut; given up after 3 attempts");
    expect(told).toEqual([
      { failures: 1, delayMs: 1_000, reason: "cut" },
      1_000,
      { failures: 2, delayMs: 2_000, reason: "cut" },
      2_000,
    ]);
  });

  test("does not ask again for what is refused for good", async () => {
    const refused = new ContainerdError("no", { kind: "not-found", cause: { isTransient: false } });
    const clock = { monotonicMs: () => 0, wallMs: () => 0, sleep: () => Promise.reject(new Error("slept")) };
    await expect(createRetrier(POLICY, clock).wait(refused)).rejects.toBe(refused);
  });
});
