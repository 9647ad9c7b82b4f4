import { expect, test } from "vitest";
import type { StepEvent } from "./event.js";
import { createEventQueue } from "./event-queue.js";
import { createRecorder } from "./recorder.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("holds the beginning of each stream, and all of the outputs", () => {
  const recorder = createRecorder(createEventQueue(), 8);
  recorder.take("stdout", bytes("0123456789\n"));
  recorder.take("stderr", bytes("short"));
  recorder.take("stdout", bytes("##wfe[output a=1]\n"));
  recorder.take("stderr", bytes("##wfe[output b=1]\n"));
  const { stdout, stderr, truncated, outputs } = recorder.finish();
  expect({ stdout, stderr, truncated }).toEqual({ stdout: "01234567", stderr: "short##w", truncated: true });
  expect({ ...outputs }).toEqual({ a: "1" });
});

test("what exactly fits is not truncated", () => {
  const recorder = createRecorder(createEventQueue(), 4);
  recorder.take("stdout", bytes("1234"));
  expect(recorder.finish()).toMatchObject({ stdout: "1234", truncated: false });
});

test("events hold their own copy: readers use one buffer again and again", async () => {
  const queue = createEventQueue();
  const recorder = createRecorder(queue, 100);
  const buffer = bytes("aaa");
  recorder.take("stdout", buffer);
  buffer.fill(0x62);
  recorder.take("stdout", buffer);
  queue.close();
  const seen: StepEvent[] = [];
  for await (const event of queue.iterate()) seen.push(event);
  expect(seen.map((event) => (event.type === "output" ? new TextDecoder().decode(event.data) : ""))).toEqual([
    "aaa",
    "bbb",
  ]);
});
