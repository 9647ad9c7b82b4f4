import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { callStream } from "./call.js";

/** Like Connect's iterables, it can be ended only by the signal. */
function count(to: number, signal: AbortSignal): AsyncIterable<number> {
  let number = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (signal.aborted) throw ConnectError.from(signal.reason, Code.Canceled);
        return number < to ? { value: ++number } : { done: true, value: undefined };
      },
    }),
  };
}

test("everything is read, and nothing is left listening", async () => {
  const { signal } = new AbortController();
  const numbers: number[] = [];
  for await (const number of callStream("count", signal, (end) => count(3, end))) numbers.push(number);
  expect(numbers).toEqual([1, 2, 3]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a reader who stops early ends the call", async () => {
  let given: AbortSignal | undefined;
  const open = (end: AbortSignal): AsyncIterable<number> => {
    given = end;
    return count(100, end);
  };
  for await (const number of callStream("count", undefined, open)) if (number === 2) break;
  expect(given?.aborted).toBe(true);
});

test("an abort, before or meanwhile, is told as one", async () => {
  const controller = new AbortController();
  const numbers = callStream("count", controller.signal, (end) => count(100, end));
  await numbers.next();
  controller.abort(new Error("enough"));
  const canceled = { kind: "canceled", message: "count: enough", operation: "count" };
  await expect(numbers.next()).rejects.toMatchObject(canceled);
  const late = callStream("count", controller.signal, (end) => count(100, end));
  await expect(late.next()).rejects.toMatchObject(canceled);
});

test("a failure says what was asked", async () => {
  const failing = callStream("read content x", undefined, async function* () {
    yield 1;
    throw new ConnectError("no such blob", Code.NotFound);
  });
  await failing.next();
  await expect(failing.next()).rejects.toMatchObject({
    kind: "not-found",
    message: "read content x: no such blob",
  });
});
