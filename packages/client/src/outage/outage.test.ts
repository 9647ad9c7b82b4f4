import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { markUnreached } from "../transport/unreached.js";
import type { DaemonQuestion, WatchedCall } from "./daemon-outage.js";
import { createOutage, type OutageOptions, outageOfDaemon } from "./outage.js";

const cut = (): ConnectError => markUnreached(new ConnectError("cut", Code.Unavailable));

const nothing = async (): Promise<void> => undefined;

/** Waits after a cut, as a call does. */
async function afterCut(call: WatchedCall): Promise<void> {
  const reason = cut();
  expect(await call.isCut(reason)).toBe(true);
  await call.back(reason);
}

/** A daemon that answers as told, and counts how often it was asked. */
function outageOf(ask: DaemonQuestion["ask"], options: OutageOptions = {}, keepAliveMs = 0) {
  const events: string[] = [];
  const outage = createOutage({
    timeoutMs: 300,
    onAway: ({ kind, message }) => void events.push(`away: ${kind}: ${message}`),
    onBack: (awayMs) => void events.push(awayMs >= 0 ? "back" : "back before it was away"),
    ...options,
  });
  return { outage, events, daemon: outageOfDaemon(outage, { address: "unix:///a.sock", ask, keepAliveMs }) };
}

test("calls that are cut off together wait together: one is told away, one is told back", async () => {
  let answer = (_isThere: boolean): void => undefined;
  const ask = vi.fn(
    () =>
      new Promise<boolean>((resolve) => {
        answer = resolve;
      }),
  );
  const { outage, daemon, events } = outageOf(ask, { timeoutMs: 60_000 });
  const calls = Array.from({ length: 50 }, () => daemon.watch("call"));
  const waiting = calls.map(afterCut);
  await expect.poll(() => outage.isAway).toBe(true);
  expect(ask).toHaveBeenCalledTimes(1);
  answer(true);
  await Promise.all(waiting);
  expect(outage.isAway).toBe(false);
  expect(events).toEqual(["away: unavailable: cut", "back"]);
  expect(calls.every(({ cuts }) => cuts === 1)).toBe(true);
});

test("at the deadline all fail, a later call fails at once, and an answer after that ends the outage", async () => {
  let isThere = false;
  const { outage, daemon, events } = outageOf(async () => isThere);
  const startedAt = performance.now();
  const first = afterCut(daemon.watch("call"));
  await expect.poll(() => outage.isAway).toBe(true);
  const second = daemon.watch("call").attempt(nothing);
  const error = {
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/^the daemon has been away for \d+\.\d s: cut$/),
  };
  await Promise.all([first, second].map((each) => expect(each).rejects.toMatchObject(error)));
  const late = performance.now();
  expect(late - startedAt).toBeGreaterThan(290);
  const afterwards = daemon.watch("call");
  await expect(afterwards.attempt(nothing)).rejects.toMatchObject(error);
  // What the outage has ended must not begin it again.
  expect(await afterwards.isCut(await afterwards.attempt(nothing).catch((reason: unknown) => reason))).toBe(
    false,
  );
  isThere = true;
  await expect.poll(() => outage.isAway).toBe(false);
  await daemon.watch("call").attempt(nothing);
  expect(events).toEqual(["away: unavailable: cut", "back"]);
});

test("an abort ends the waiting: the call's own as canceled, the outage's as unavailable", async () => {
  const own = new AbortController();
  const all = new AbortController();
  const { daemon } = outageOf(async () => false, { timeoutMs: 60_000, signal: all.signal });
  const ended = afterCut(daemon.watch("call", own.signal));
  const others = afterCut(daemon.watch("call"));
  own.abort(new Error("enough"));
  await expect(ended).rejects.toMatchObject({ code: Code.Canceled, rawMessage: "enough" });
  all.abort();
  await expect(others).rejects.toMatchObject({ code: Code.Unavailable });
  await expect(daemon.watch("call").attempt(nothing)).rejects.toMatchObject({ code: Code.Unavailable });
});

test("what may be a slow shim is an outage only if the daemon does not answer, or was away meanwhile", async () => {
  let isThere = true;
  const { daemon } = outageOf(async () => isThere);
  const late = new ConnectError("no answer", Code.DeadlineExceeded);
  const own = new ConnectError("context deadline exceeded", Code.Unknown);
  for (const reason of [late, own, new ConnectError("shim: dial", Code.Unavailable)]) {
    expect(await daemon.watch("call").isCut(reason)).toBe(false);
    isThere = false;
    expect(await daemon.watch("call").isCut(reason)).toBe(true);
    isThere = true;
  }
  const running = daemon.watch("call");
  await running.attempt(nothing);
  await afterCut(daemon.watch("call"));
  expect(await running.isCut(own)).toBe(true);
  expect(await daemon.watch("call").isCut(own)).toBe(false);
});

test("an answer is no outage, whatever it says", async () => {
  const { daemon } = outageOf(async () => false);
  const answers = [
    new ConnectError("no such container", Code.NotFound),
    new ConnectError("ref layer locked: unavailable", Code.Unavailable),
    new ConnectError("the client was closed", Code.Canceled),
    new ConnectError("runc failed", Code.Unknown),
    new Error("a mistake of our own"),
  ];
  for (const reason of answers) expect(await daemon.watch("call").isCut(reason)).toBe(false);
  expect(await daemon.watch("call").isCut(new ConnectError("context canceled", Code.Canceled))).toBe(true);
});

test("a daemon that hangs while a call waits is away, and the call goes on when it answers", async () => {
  let isThere = true;
  let answer = (): void => undefined;
  const { outage, daemon, events } = outageOf(async () => isThere, { timeoutMs: 60_000 }, 20);
  const waiting = daemon.watch("call").attempt(
    () =>
      new Promise<string>((resolve) => {
        answer = () => resolve("at last");
      }),
  );
  isThere = false;
  await expect.poll(() => events).toEqual(["away: unavailable: the daemon does not answer: does it hang?"]);
  isThere = true;
  await expect.poll(() => outage.isAway).toBe(false);
  answer();
  expect(await waiting).toBe("at last");
});

test("an attempt in flight fails when the outage takes too long", async () => {
  const { daemon } = outageOf(async () => false, {}, 20);
  const waiting = daemon.watch("call").attempt(() => new Promise(() => undefined));
  await expect(waiting).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/has been away .* does it hang\?$/),
  });
});

test("a closed client ends the waiting", async () => {
  const closed = new ConnectError("the client is closed", Code.FailedPrecondition);
  const { outage, daemon, events } = outageOf(() => Promise.reject(closed));
  await expect(afterCut(daemon.watch("call"))).rejects.toBe(closed);
  expect(outage.isAway).toBe(false);
  expect(events).toEqual(["away: unavailable: cut"]);
});

test("an outage that createOutage did not make is refused", () => {
  const question = { address: "unix:///a.sock", ask: async () => true, keepAliveMs: 0 };
  expect(() => outageOfDaemon({ isAway: false }, question)).toThrow(/^outage: is not an outage; allowed:/);
});
