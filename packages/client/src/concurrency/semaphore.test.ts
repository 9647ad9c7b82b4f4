import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSemaphore, forEachConcurrently } from "./semaphore.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("createSemaphore", () => {
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

  test("runs a higher priority first, and tells each that waits its place", async () => {
    const slots = createSemaphore(1);
    const begun: string[] = [];
    const places: Record<string, number> = {};
    const task = (name: string, priority: number): Promise<void> =>
      slots.run(
        async () => {
          begun.push(name);
          await turn();
        },
        { priority, onQueued: (position) => Object.assign(places, { [name]: position }) },
      );
    await Promise.all([task("first", 0), task("a", 0), task("low", -1), task("b", 0), task("high", 5)]);
    expect(begun).toEqual(["first", "high", "a", "b", "low"]);
    expect(places).toEqual({ a: 1, low: 2, b: 2, high: 1 });
  });

  test("leaves out a task whose signal is aborted, and keeps no listener", async () => {
    const slots = createSemaphore(1);
    const stop = new AbortController();
    const never = async (): Promise<never> => expect.unreachable();
    const first = slots.run(turn);
    const left = slots.run(never, { signal: stop.signal });
    const { signal } = new AbortController();
    const next = slots.run(turn, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    stop.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    await expect(slots.run(never, { signal: stop.signal })).rejects.toThrow("enough");
    await Promise.all([first, next]);
    for (const each of [signal, stop.signal]) expect(getEventListeners(each, "abort")).toEqual([]);
  });

  test("never runs too many, runs each task that is not aborted, and frees every slot", async () => {
    const tasks = fc.array(fc.record({ priority: fc.integer({ min: 0, max: 2 }), abortAt: fc.nat(20) }), {
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), tasks, async (count, list) => {
        const slots = createSemaphore(count);
        let running = 0;
        const outcomes = list.map(async ({ priority, abortAt }) => {
          const stop = new AbortController();
          let hasRun = false;
          const run = slots.run(
            async () => {
              hasRun = true;
              expect(++running).toBeLessThanOrEqual(count);
              await Promise.resolve();
              running--;
            },
            { priority, signal: stop.signal },
          );
          for (let at = 0; at < abortAt; at++) await Promise.resolve();
          stop.abort(new Error("enough"));
          const [outcome] = await Promise.allSettled([run]);
          expect(outcome?.status).toBe(hasRun ? "fulfilled" : "rejected");
        });
        await Promise.all(outcomes);
        // All slots are free: so many tasks begin at once.
        let begun = 0;
        const last = Array.from({ length: count }, () => slots.run(async () => void begun++));
        expect(begun).toBe(count);
        await Promise.all(last);
      }),
    );
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
