import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { createAbortRelay } from "./abort-relay.js";

test("one listener serves all, and goes with the last", () => {
  const relay = createAbortRelay();
  const { signal } = new AbortController();
  const ends = Array.from({ length: 20 }, () => relay.connect(signal, new AbortController()));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  for (const end of ends) end();
  for (const end of ends) end();
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("an abort reaches those that are connected, and no other", () => {
  const relay = createAbortRelay();
  const source = new AbortController();
  const [a, b, late] = [new AbortController(), new AbortController(), new AbortController()];
  const end = relay.connect(source.signal, a);
  relay.connect(source.signal, b);
  end();
  source.abort("enough");
  expect([a.signal.aborted, b.signal.reason]).toEqual([false, "enough"]);
  relay.connect(source.signal, late)();
  expect(late.signal.reason).toBe("enough");
});

test("a signal that had lost all of its followers gets new ones", () => {
  const relay = createAbortRelay();
  const source = new AbortController();
  const [a, b] = [new AbortController(), new AbortController()];
  const end = relay.connect(source.signal, a);
  end();
  relay.connect(source.signal, b);
  end();
  source.abort("enough");
  expect([a.signal.aborted, b.signal.reason]).toEqual([false, "enough"]);
});
