import { expect, test } from "vitest";
import type { StepEvent } from "../event.js";
import { createEventQueue } from "./event-queue.js";
import { createRecorder } from "./recorder.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("holds the beginning of each stream, and all of the outputs", () => {
  const recorder = createRecorder(createEventQueue(), 8);
  recorder.sink("stdout", bytes("0123456789\n"));
  recorder.sink("stderr", bytes("short"));
  recorder.sink("stdout", bytes("##wfe[output a=1]\n"));
  recorder.sink("stderr", bytes("##wfe[output b=1]\n"));
  const { stdout, stderr, truncated, outputs } = recorder.finish();
  expect({ stdout, stderr, truncated }).toEqual({ stdout: "01234567", stderr: "short##w", truncated: true });
  expect({ ...outputs }).toEqual({ a: "1" });
});

test("an output line that is not taken is an event, and in what the result holds", async () => {
  const queue = createEventQueue();
  const recorder = createRecorder(queue, 100);
  recorder.sink("stdout", bytes("##wfe[output a=\0]\n"));
  const issue = { reason: "nul", key: "a", message: expect.stringContaining("output a: ") };
  expect(recorder.finish()).toMatchObject({ outputs: {}, outputIssues: [issue] });
  queue.close();
  const seen: StepEvent[] = [];
  for await (const event of queue.iterate()) if (event.type !== "output") seen.push(event);
  expect(seen).toEqual([{ type: "output-issue", ...issue }]);
});

test("what exactly fits is not truncated", () => {
  const recorder = createRecorder(createEventQueue(), 4);
  recorder.sink("stdout", bytes("1234"));
  expect(recorder.finish()).toMatchObject({ stdout: "1234", truncated: false });
});

test("events hold their own copy: readers use one buffer again and again", async () => {
  const queue = createEventQueue();
  const recorder = createRecorder(queue, 100);
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
  const slow = createRecorder(heard, 0);
  const waits = Array.from({ length: 3 }, () => slow.sink("stdout", line));
  expect(waits.at(-1)).toBeInstanceOf(Promise);
  await events.next();
  await events.return();
  await waits.at(-1);

  const unheard = createEventQueue();
  const fast = createRecorder(unheard, 0);
  for (let at = 0; at < 300; at++) expect(fast.sink("stdout", line)).toBeUndefined();
  expect({ ...fast.finish().outputs }).toEqual({ a: "x".repeat(60_000) });
  unheard.close();
  const types: string[] = [];
  for await (const { type } of unheard.iterate()) types.push(type);
  expect(types.filter((type) => type === "output-value")).toHaveLength(1);
  expect(types.length).toBeLessThan(20);
});
