import { describe, expect, test } from "vitest";
import { createKeyedMutex } from "./keyed-mutex.js";

/** A task that ends when the test calls `end`. */
function work(): { begun: boolean; task: () => Promise<string>; end: (failure?: Error) => void } {
  let end = (_failure?: Error): void => undefined;
  const ended = new Promise<string>((resolve, reject) => {
    end = (failure) => (failure === undefined ? resolve("done") : reject(failure));
  });
  const one = {
    begun: false,
    end,
    task: () => {
      one.begun = true;
      return ended;
    },
  };
  return one;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("createKeyedMutex", () => {
  test("runs those of one name one after the other, whether they fail or not, and others beside them", async () => {
    const turns = createKeyedMutex();
    const [first, second, other] = [work(), work(), work()];
    const failing = turns.run("a", undefined, first.task);
    const waiting = turns.run("a", undefined, second.task);
    const beside = turns.run("b", undefined, other.task);
    await settle();
    expect([first.begun, second.begun, other.begun]).toEqual([true, false, true]);
    first.end(new Error("failed"));
    await expect(failing).rejects.toThrow("failed");
    await settle();
    expect(second.begun).toBe(true);
    second.end();
    other.end();
    expect(await Promise.all([waiting, beside])).toEqual(["done", "done"]);
  });

  test("lets one go that gives up waiting, and nobody else before or behind it", async () => {
    const turns = createKeyedMutex();
    const [first, second, third] = [work(), work(), work()];
    const running = turns.run("a", undefined, first.task);
    const giving = new AbortController();
    const given = turns.run("a", giving.signal, second.task);
    const behind = turns.run("a", new AbortController().signal, third.task);
    giving.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await settle();
    expect([first.begun, second.begun, third.begun]).toEqual([true, false, false]);
    first.end();
    third.end();
    expect(await Promise.all([running, behind])).toEqual(["done", "done"]);
    expect(second.begun).toBe(false);
    await expect(turns.run("a", giving.signal, first.task)).rejects.toThrow("enough");
  });
});
