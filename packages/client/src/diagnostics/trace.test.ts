import { AsyncLocalStorage } from "node:async_hooks";
import { channel } from "node:diagnostics_channel";
import { expect, test } from "vitest";
import { ContainerdError } from "../error.js";
import { type OperationObserver, subscribeTo } from "./subscribe.js";
import { createTrace } from "./trace.js";

interface Message {
  readonly of: string;
  result?: number;
  durationMs?: number | undefined;
  errorKind?: string | undefined;
}

const NAME = "wfe-containerd.test";
const trace = createTrace<Message>(NAME);

/** Subscribes while the function runs. */
async function watching(observer: OperationObserver<Message>, run: () => unknown): Promise<void> {
  const stop = subscribeTo(trace, observer);
  try {
    await run();
  } finally {
    stop();
  }
}

test("nobody listens, unless somebody does", async () => {
  expect(trace.hasSubscribers).toBe(false);
  await watching({ end: () => undefined }, () => expect(trace.hasSubscribers).toBe(true));
  expect(trace.hasSubscribers).toBe(false);
  const store = new AsyncLocalStorage();
  const start = channel(`tracing:${NAME}:start`);
  start.bindStore(store);
  expect(trace.hasSubscribers).toBe(true);
  start.unbindStore(store);
  expect(trace.hasSubscribers).toBe(false);
});

test("start and end get the same object, and the end has the result and the duration", async () => {
  const seen: [string, Message][] = [];
  const message: Message = { of: "a" };
  await watching(
    { start: (given) => seen.push(["start", given]), end: (given) => seen.push(["end", { ...given }]) },
    async () => {
      const result = await trace.run(
        message,
        async () => 7,
        (value) => {
          message.result = value;
        },
      );
      expect(result).toBe(7);
    },
  );
  expect(seen[0]).toEqual(["start", expect.anything()]);
  expect(seen[0]?.[1]).toBe(message);
  expect(seen[1]).toEqual(["end", { of: "a", result: 7, durationMs: expect.any(Number) }]);
  expect(seen).toHaveLength(2);
});

test.each([
  [new ContainerdError("no", { kind: "not-found" }), "not-found"],
  [Object.assign(new Error("no"), { kind: "image-not-found" }), "image-not-found"],
  [new DOMException("no", "AbortError"), "canceled"],
  [new Error("no"), "unknown"],
  [undefined, "unknown"],
])("a failure is passed on, and told by its kind alone: %s", async (reason, errorKind) => {
  const ended: Message[] = [];
  await watching({ end: (message) => ended.push(message) }, () =>
    expect(trace.run({ of: "a" }, () => Promise.reject(reason))).rejects.toBe(reason),
  );
  expect(ended).toEqual([{ of: "a", errorKind, durationMs: expect.any(Number) }]);
});

test("an operation ends once, however often its end is told", async () => {
  const ended: Message[] = [];
  await watching({ end: (message) => ended.push(message) }, () => {
    const running = trace.start({ of: "a" });
    running.end();
    running.end({ reason: new Error("late") });
  });
  expect(ended).toEqual([{ of: "a", durationMs: expect.any(Number) }]);
});

test("a store that is bound to the channel is current in all that the operation does, and nowhere else", async () => {
  const store = new AsyncLocalStorage<unknown>();
  const start = channel(`tracing:${NAME}:start`);
  start.bindStore(store, (message) => (message as Message).of);
  const inside = await Promise.all(
    ["a", "b"].map((of) =>
      trace.run({ of }, async () => {
        await new Promise(setImmediate);
        return store.getStore();
      }),
    ),
  );
  start.unbindStore(store);
  expect(inside).toEqual(["a", "b"]);
  expect(store.getStore()).toBeUndefined();
});
