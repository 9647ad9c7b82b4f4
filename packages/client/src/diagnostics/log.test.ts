import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RPC, TRANSFER } from "./channels.js";
import { logTo } from "./log.js";
import type { RpcDiagnostic } from "./messages.js";

const WAIT: RpcDiagnostic = {
  service: "containerd.services.tasks.v1.Tasks",
  method: "Wait",
  isStream: false,
  address: "unix:///a.sock",
  transport: "unix",
  namespace: "ci",
  attempt: 1,
};

let lines: string[];
let stop: () => void;
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const line = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  stop = logTo({ debug: line("debug"), info: line("info"), warn: line("warn") });
});
afterEach(() => {
  stop();
  vi.useRealTimers();
});

test("a call has a line at its end, and one more if it is slow", () => {
  const quick = RPC.start({ ...WAIT, method: "Get" });
  vi.advanceTimersByTime(1_000);
  quick.end();
  const slow = RPC.start({ ...WAIT });
  vi.advanceTimersByTime(60_000);
  slow.end();
  expect(lines).toEqual([
    expect.stringMatching(/^debug: rpc Tasks\.Get, namespace ci, [\d.]+ m?s$/),
    "debug: rpc Tasks.Wait, namespace ci, begins, no answer after 5 s",
    expect.stringMatching(/^debug: rpc Tasks\.Wait, namespace ci, [\d.]+ m?s$/),
  ]);
});

test("a pull has a line at its start and one at its end", async () => {
  const message = { operation: "pull", image: "a", address: "b", namespace: "c", via: "client" } as const;
  await TRANSFER.run({ ...message }, async () => undefined);
  expect(lines).toEqual(["info: pull a, begins", expect.stringMatching(/^info: pull a, [\d.]+ ms$/)]);
});

test("once it is ended, nothing is written any more", () => {
  const slow = RPC.start({ ...WAIT });
  stop();
  vi.advanceTimersByTime(60_000);
  slow.end();
  expect(RPC.hasSubscribers).toBe(false);
  expect(lines).toEqual([]);
});
