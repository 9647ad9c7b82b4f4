import { expect, test } from "vitest";
import type { StepEvent } from "../event.js";
import type { OutputStore } from "../io/io.js";
import { createEventQueue, type EventQueue } from "./event-queue.js";
import { createLog } from "./log.js";
import type { LogLimit } from "./log-limit.js";
import { createRecorder } from "./recorder.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const LIMIT: LogLimit = { maxBytes: 2 ** 30, policy: "drop-oldest" };

function recorderOf(events: EventQueue, captureBytes: number) {
  const rest = { store: undefined, limit: LIMIT, masked: [], onLimit: () => undefined };
  return createRecorder({ events, log: createLog(), captureBytes, ...rest });
}

const WHOLE = { stdout: "whole", stderr: "whole" } as const;

test("holds the beginning of each stream, and all of the outputs", () => {
  const recorder = recorderOf(createEventQueue(), 8);
  recorder.sink("stdout", bytes("0123456789\n"));
  recorder.sink("stderr", bytes("short"));
  recorder.sink("stdout", bytes("##wfe[output a=1]\n"));
  recorder.sink("stderr", bytes("##wfe[output b=1]\n"));
  const { stdout, stderr, truncated, outputs } = recorder.finish(WHOLE);
  expect({ stdout, stderr, truncated }).toEqual({ stdout: "01234567", stderr: "short##w", truncated: true });
  expect({ ...outputs }).toEqual({ a: "1" });
});

test("an output line that is not taken is an event, and in what the result holds", async () => {
  const queue = createEventQueue();
  const recorder = recorderOf(queue, 100);
  recorder.sink("stdout", bytes("##wfe[output a=\0]\n"));
  const issue = { reason: "nul", key: "a", message: expect.stringContaining("output a: ") };
  expect(recorder.finish(WHOLE)).toMatchObject({ outputs: {}, outputIssues: [issue] });
  queue.close();
  const seen: StepEvent[] = [];
  for await (const event of queue.iterate()) if (event.type !== "output") seen.push(event);
  expect(seen).toEqual([{ type: "output-issue", ...issue }]);
});

test("what exactly fits is not truncated", () => {
  const recorder = recorderOf(createEventQueue(), 4);
  recorder.sink("stdout", bytes("1234"));
  expect(recorder.finish(WHOLE)).toMatchObject({ stdout: "1234", truncated: false });
});

test("events hold their own copy: readers use one buffer again and again", async () => {
  const queue = createEventQueue();
  const recorder = recorderOf(queue, 100);
  const buffer = bytes("aaa");
  recorder.sink("stdout", buffer);
  buffer.fill(0x62);
  recorder.sink("stdout", buffer);
  queue.close();
  const seen: StepEvent[] = [];
  for await (const event of queue.iterate()) seen.push(event);
  expect(seen.map((event) => (event.type === "output" ? new TextDecoder().decode(event.data) : ""))).toEqual([
    "aaa",
    "bbb",
  ]);
});

test("a flood of values of one output waits for who iterates, and is not kept for who does not", async () => {
  const line = bytes(`##wfe[output a=${"x".repeat(60_000)}]\n`);
  const heard = createEventQueue();
  const events = heard.iterate();
  const slow = recorderOf(heard, 0);
  const waits = Array.from({ length: 3 }, () => slow.sink("stdout", line));
  expect(waits.at(-1)).toBeInstanceOf(Promise);
  await events.next();
  await events.return();
  await waits.at(-1);

  const unheard = createEventQueue();
  const fast = recorderOf(unheard, 0);
  for (let at = 0; at < 300; at++) expect(fast.sink("stdout", line)).toBeUndefined();
  expect({ ...fast.finish(WHOLE).outputs }).toEqual({ a: "x".repeat(60_000) });
  unheard.close();
  const types: string[] = [];
  for await (const { type } of unheard.iterate()) types.push(type);
  expect(types.filter((type) => type === "output-value")).toHaveLength(1);
  expect(types.length).toBeLessThan(20);
});

const MUCH_BYTES = 100 * 1024 * 1024;

/** A store that frees nothing: what a recorder tells its log is enough here. */
const STORE: OutputStore = {
  read: async () => 0,
  free: async () => undefined,
  storedBytes: async () => 0,
  close: async () => undefined,
};

test("output that was not read is missing in events and result, and nothing of a secret shows behind it", async () => {
  const secret = "correct-horse-battery-staple";
  const queue = createEventQueue();
  const recorder = createRecorder({
    events: queue,
    log: createLog(),
    store: STORE,
    captureBytes: 10_000,
    limit: { maxBytes: 1000, policy: "drop-oldest" },
    masked: [bytes(secret)],
    onLimit: () => undefined,
  });
  recorder.sink("stdout", bytes(`begin ${secret.slice(0, 10)}`));
  expect(recorder.onBacklog("stdout", 2000)).toBe(0);
  // Far more than the limit is waiting: the oldest is not read.
  expect(recorder.onBacklog("stdout", MUCH_BYTES + 1000)).toBe(MUCH_BYTES);
  recorder.sink("stdout", bytes(`${secret.slice(15)} hidden ${"-".repeat(500)}`));
  recorder.sink("stdout", bytes(`\nthe end ${secret} over\n##wfe[output a=1]\n`));
  const { stdout, log, outputs, outputIssues } = recorder.finish(WHOLE);
  expect(stdout).toMatch(/^begin (\*\*\*)?$/);
  expect(log.stdout.tail).toBe("\nthe end *** over\n##wfe[output a=1]\n");
  expect(log.complete).toBe(false);
  expect({ ...outputs }).toEqual({ a: "1" });
  expect(outputIssues).toEqual([]);
  queue.close();
  let seen = "";
  let missing = 0;
  for await (const event of queue.iterate()) {
    if (event.type === "output") seen += new TextDecoder().decode(event.data);
    if (event.type === "gap") missing += event.bytes;
  }
  for (const part of [secret.slice(0, 10), secret.slice(15), "hidden"]) expect(seen).not.toContain(part);
  expect(missing).toBeGreaterThan(MUCH_BYTES);
});

test("a line of output that was only read in part is no output", () => {
  const recorder = createRecorder({
    events: createEventQueue(),
    log: createLog(),
    store: STORE,
    captureBytes: 100,
    limit: { maxBytes: 100, policy: "drop-oldest" },
    masked: [],
    onLimit: () => undefined,
  });
  recorder.sink("stdout", bytes("##wfe[output a=1]"));
  expect(recorder.onBacklog("stdout", MUCH_BYTES)).toBe(MUCH_BYTES - 100);
  recorder.sink("stdout", bytes("##wfe[output b=2]\n##wfe[output c=3]\n"));
  expect({ ...recorder.finish(WHOLE).outputs }).toEqual({ c: "3" });
});

test("fail: the limit counts what waits to be read, and is told once", () => {
  let told = 0;
  const recorder = createRecorder({
    events: createEventQueue(),
    log: createLog(),
    store: STORE,
    captureBytes: 100,
    limit: { maxBytes: 100, policy: "fail" },
    masked: [],
    onLimit: () => told++,
  });
  recorder.sink("stdout", new Uint8Array(60));
  recorder.onBacklog("stderr", 40);
  expect(told).toBe(0);
  expect(recorder.onBacklog("stderr", 41)).toBe(0);
  recorder.sink("stderr", new Uint8Array(41));
  expect(told).toBe(1);
  expect(recorder.isOverLimit).toBe(true);
});
