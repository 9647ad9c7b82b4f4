import { describe, expect, test } from "vitest";
import { createSemaphore, forEachConcurrently } from "./semaphore.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("createSlots", () => {
  test("runs so many at a time, in order, whether they fail or not", async () => {
    const slots = createSemaphore(2);
    let running = 0;
    let most = 0;
    const begun: number[] = [];
    const tasks = [0, 1, 2, 3, 4].map((at) =>
      slots.run(async () => {
        begun.push(at);
        most = Math.max(most, ++running);
        await turn();
        running--;
        if (at === 1) throw new Error("one");
        return at;
      }),
    );
    const settled = await Promise.allSettled(tasks);
    expect(settled.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
      "fulfilled",
    ]);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
  });
});

describe("forEachConcurrently", () => {
  test("throws the first failure, after the others have ended", async () => {
    const ended: number[] = [];
    const all = forEachConcurrently(
      [0, 1, 2, 3],
      { count: 2, signal: new AbortController().signal },
      async (at, signal) => {
        if (at === 1) throw new Error("first");
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        ended.push(at);
        throw new Error("because of the first");
      },
    );
    await expect(all).rejects.toThrow("first");
    expect(ended).toEqual([0]);
  });
});
