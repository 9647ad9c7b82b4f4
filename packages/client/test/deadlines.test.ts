import { setMaxListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { pauseProcess } from "@wfe-containerd/test-infra/daemon";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

const TIMEOUT_MS = 500;
const HOUR_MS = 3_600_000;

let started: Awaited<ReturnType<typeof startStoppable>>;
beforeAll(async () => {
  started = await startStoppable();
});
afterAll(() => started[Symbol.asyncDispose]());
afterEach(() => vi.useRealTimers());

/** A daemon that does not answer as soon as a test stops it, and a client that it has answered. */
async function startStoppable() {
  const daemon = await startDaemon({ readyTimeoutMs: 100_000 });
  const client = createClient({ address: daemon.address, timeoutMs: TIMEOUT_MS });
  await client.version({ timeoutMs: 100_000 });
  return {
    client,
    stop: () => pauseProcess(daemon.pid),
    async [Symbol.asyncDispose]() {
      await client.close();
      // If it went on, it would get the calls of these tests. Some of them are invalid, and crash it.
      daemon.kill("SIGKILL");
      await daemon.stop();
    },
  };
}

type Method = (input: object, options: object) => Promise<unknown> | AsyncIterable<unknown>;

/** Stands for any request, and for a stream of none. */
const INPUT = { async *[Symbol.asyncIterator]() {} };

test("every call to a daemon that is stopped meets its deadline, and says that the daemon does not answer (fault case 2)", async () => {
  await started.stop();
  const { services, address } = started.client;
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const calls: Promise<unknown>[] = [];
  const streams: Promise<unknown>[] = [];
  for (const [service, methods] of Object.entries(services)) {
    for (const [name, method] of Object.entries(methods as Record<string, Method>)) {
      const answer = method(INPUT, { signal: over.signal });
      const outcome = "then" in answer ? answer : answer[Symbol.asyncIterator]().next();
      const told = outcome.then(
        () => `${service}.${name} has an answer`,
        ({ code, rawMessage }) => ({ code, rawMessage }),
      );
      ("then" in answer ? calls : streams).push(told);
    }
  }
  expect(calls.length).toBeGreaterThan(60);
  const late = {
    code: Code.DeadlineExceeded,
    rawMessage: `the daemon at ${address} did not answer within ${TIMEOUT_MS} ms`,
  };
  expect(await Promise.all(calls)).toEqual(calls.map(() => late));
  // Streams may last for days, so they have no deadline, but they end with their caller.
  over.abort();
  for (const stream of await Promise.all(streams)) expect(stream).toMatchObject({ code: Code.Canceled });
});

test.each([HOUR_MS, -HOUR_MS])(
  "a clock that jumps by %i ms during a call does not move its deadline (fault case 19)",
  async (byMs) => {
    await started.stop();
    const calledAt = performance.now();
    const call = started.client.version();
    call.catch(() => undefined);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
    await expect(call).rejects.toMatchObject({ kind: "deadline-exceeded" });
    expect(performance.now() - calledAt).toBeGreaterThan(TIMEOUT_MS - 2);
  },
);
