import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StepEvent } from "../event.js";
import { createEventQueue, type EventQueue } from "./event-queue.js";

const output = (bytes: number): StepEvent => ({
  type: "output",
  stream: "stdout",
  data: new Uint8Array(bytes),
});
const KIB = 1024;

describe("with a consumer", () => {
  test("events come in order, and the queue ends when it is closed", async () => {
    const queue = createEventQueue();
    const seen: number[] = [];
    const consumed = (async () => {
      for await (const event of queue.iterate())
        if (event.type === "output") seen.push(event.data.byteLength);
    })();
    for (const bytes of [1, 2, 3]) queue.push(output(bytes));
    queue.close();
    await consumed;
    expect(seen).toEqual([1, 2, 3]);
  });

  test("output is what it was when it was pushed, whatever the reader's buffer has by then", async () => {
    const queue = createEventQueue();
    const events = queue.iterate();
    const buffer = Buffer.from("first");
    queue.push({ type: "output", stream: "stdout", data: buffer });
    buffer.write("other");
    expect(
      String(
        (await drain(queue, events)).map(
          (event) => event.type === "output" && String.fromCharCode(...event.data),
        ),
      ),
    ).toBe("first");
  });

  test("who produces waits while much is queued, and goes on when it was taken", async () => {
    const queue = createEventQueue();
    const events = queue.iterate();
    expect(queue.push(output(200 * KIB))).toBeUndefined();
    const room = queue.push(output(200 * KIB));
    expect(room).toBeInstanceOf(Promise);
    await events.next();
    await events.next();
    await room;
  });

  test("leaving frees who waits, and drops what comes", async () => {
    const queue = createEventQueue();
    const events = queue.iterate();
    const room = queue.push(output(400 * KIB));
    await events.next();
    await events.return();
    await room;
    expect(queue.isReadable).toBe(false);
    expect(queue.push(output(400 * KIB))).toBeUndefined();
  });

  test("closing frees who waits, even if nothing is taken any more", async () => {
    const queue = createEventQueue();
    queue.iterate();
    const room = queue.push(output(400 * KIB));
    queue.close();
    await room;
  });

  test("who produces does not wait when the output is over, and waits again in the next attempt", () => {
    const queue = createEventQueue();
    queue.iterate();
    expect(queue.push(output(400 * KIB))).toBeInstanceOf(Promise);
    queue.stopWaiting();
    expect(queue.push(output(400 * KIB))).toBeUndefined();
    queue.waitAgain();
    expect(queue.push(output(400 * KIB))).toBeInstanceOf(Promise);
  });

  test("there is one", () => {
    const queue = createEventQueue();
    queue.iterate();
    expect(() => queue.iterate()).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
  });
});

describe("without a consumer", () => {
  test("nobody waits, the newest stays, and what is missing is said", async () => {
    const queue = createEventQueue();
    for (let at = 0; at < 10; at++) expect(queue.push(output(300 * KIB))).toBeUndefined();
    queue.close();
    const events: StepEvent[] = [];
    for await (const event of queue.iterate()) events.push(event);
    const [gap, ...rest] = events;
    expect(gap).toEqual({ type: "gap", bytes: 7 * 300 * KIB });
    expect(rest).toHaveLength(3);
  });

  test("events without bytes are all kept", async () => {
    const queue = createEventQueue();
    queue.push({ type: "phase", phase: "running", id: "x", attempt: 1 });
    for (let at = 0; at < 10; at++) queue.push(output(300 * KIB));
    queue.close();
    const types: string[] = [];
    for await (const event of queue.iterate()) types.push(event.type);
    expect(types.slice(0, 2)).toEqual(["gap", "phase"]);
  });

  test("of an output's values the last is kept, wherever it comes", async () => {
    const queue = createEventQueue();
    for (let at = 0; at < 30_000; at++) {
      queue.push({ type: "output-value", key: "a", value: String(at) });
      queue.push({ type: "output-value", key: `b${at % 3}`, value: String(at) });
    }
    expect(await drain(queue)).toEqual([
      { type: "output-value", key: "b0", value: "29997" },
      { type: "output-value", key: "b1", value: "29998" },
      { type: "output-value", key: "a", value: "29999" },
      { type: "output-value", key: "b2", value: "29999" },
    ]);
  });

  test("many events that say little are few, too", async () => {
    const queue = createEventQueue();
    for (let at = 0; at < 30_000; at++) queue.push(output(1));
    const [gap, ...rest] = await drain(queue);
    expect(gap).toEqual({ type: "gap", bytes: 30_000 - rest.length });
    expect(rest.length).toBeLessThan(10_000);
  });
});

const progress = (state: "fetching" | "done", offset: number): StepEvent => ({
  type: "progress",
  what: "sha256:a",
  state,
  offset,
  total: 9,
  bytesPerSecond: 1,
});

test.each([true, false])(
  "of a blob's state the newest is kept until it is taken (iterated: %s)",
  async (iterated) => {
    const queue = createEventQueue();
    const events = iterated ? queue.iterate() : undefined;
    for (const offset of [1, 2, 3]) queue.push(progress("fetching", offset));
    queue.push(progress("done", 9));
    expect(await drain(queue, events)).toEqual([progress("fetching", 3), progress("done", 9)]);
  },
);

test("who prints values waits while many are queued, and who iterates sees each", async () => {
  const queue = createEventQueue();
  const events = queue.iterate();
  const value = "x".repeat(60 * KIB);
  const waits = ["1", "2", "3"].map((at) =>
    queue.push({ type: "output-value", key: "a", value: at + value }),
  );
  expect(waits).toEqual([undefined, undefined, expect.any(Promise)]);
  expect(await drain(queue, events)).toHaveLength(3);
  await waits[2];
});

async function drain(queue: EventQueue, events = queue.iterate()): Promise<StepEvent[]> {
  queue.close();
  const seen: StepEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

test("output that waits for a consumer is that which was pushed, however its pieces are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 64 * KIB }), { minLength: 100, maxLength: 200 }),
      async (sizes) => {
        const queue = createEventQueue();
        const buffer = new Uint8Array(64 * KIB);
        let pushed = 0;
        for (const [at, size] of sizes.entries()) {
          buffer.fill(at % 251);
          queue.push({ type: "output", stream: "stdout", data: buffer.subarray(0, size) });
          pushed += size;
        }
        const [gap, ...rest] = await drain(queue);
        let missing = gap?.type === "gap" ? gap.bytes : 0;
        const left = gap?.type === "gap" ? rest : [gap, ...rest];
        const first = sizes.length - left.length;
        for (const [at, event] of left.entries()) {
          if (event?.type !== "output") throw new Error("no output");
          expect(event.data.byteLength).toBe(sizes[first + at]);
          expect(event.data.every((byte) => byte === (first + at) % 251)).toBe(true);
          missing += event.data.byteLength;
        }
        expect(missing).toBe(pushed);
      },
    ),
    { numRuns: 20 },
  );
});
