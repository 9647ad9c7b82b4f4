import { EventEmitter, getEventListeners, once } from "node:events";
import { Code, createContextKey, createContextValues, type Interceptor } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import {
  bytes,
  collect,
  fail,
  failure,
  METHODS,
  type ServerCall,
  startServer,
  stream,
} from "../../test/grpc-server.js";

const { unary, download } = METHODS;

/** A server that never answers, and the calls that it received. */
async function startSilent() {
  const calls: ServerCall[] = [];
  const arrivals = new EventEmitter();
  const server = await startServer((call) => {
    calls.push(call);
    call.resume();
    arrivals.emit("call", call);
  });
  const nextCall = async (): Promise<ServerCall> => (await once(arrivals, "call"))[0];
  return { server, calls, nextCall };
}

/** From now on time passes only by `vi.advanceTimersByTime`, so that a call reaches the server in time. */
function stopClocks(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
}
afterEach(() => void vi.useRealTimers());

async function isCancelled(call: ServerCall | undefined): Promise<void> {
  if (call !== undefined && !call.cancelled) await once(call, "cancelled");
}

test("a unary call has the transport's deadline unless it has its own; 0 is none", async () => {
  const { server, nextCall } = await startSilent();
  await using _ = server;
  const transport = server.createTransport({ timeoutMs: 2_000 });
  const text = `the daemon at unix://${server.socketPath} did not answer within`;
  stopClocks();

  for (const [ownMs, timeoutMs] of [
    [undefined, 2_000],
    [1_500, 1_500],
  ] as const) {
    const failing = failure(transport.unary(unary, undefined, ownMs, undefined, {}));
    const call = await nextCall();
    expect(Number(call.getDeadline()) - Date.now()).toBe(timeoutMs);
    vi.advanceTimersByTime(timeoutMs);
    expect(await failing).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: `${text} ${timeoutMs} ms`,
    });
    await isCancelled(call);
  }

  const controller = new AbortController();
  const none = transport.unary(unary, controller.signal, 0, undefined, {});
  expect((await nextCall()).getDeadline()).toBe(Number.POSITIVE_INFINITY);
  controller.abort();
  expect((await failure(none)).code).toBe(Code.Canceled);
});

test("a stream has a deadline only when it is given one", async () => {
  const { server, calls } = await startSilent();
  await using _ = server;
  const transport = server.createTransport({ timeoutMs: 20 });
  const controller = new AbortController();
  const endless = transport.stream(download, controller.signal, undefined, undefined, stream({}));
  await expect.poll(() => calls.length).toBe(1);
  expect(calls[0]?.getDeadline()).toBe(Number.POSITIVE_INFINITY);
  const limited = await failure(transport.stream(download, undefined, 700, undefined, stream({})));
  expect(limited.code).toBe(Code.DeadlineExceeded);
  expect(limited.rawMessage).toContain("did not answer within 700 ms");
  expect(calls[0]?.cancelled).toBe(false);
  controller.abort();
  await failure(endless);
});

test("a deadline in the middle of a stream is told by who reads it", async () => {
  await using server = await startServer((call) => void call.write(Buffer.from("a")));
  stopClocks();
  const response = await server.transport.stream(download, undefined, 1_500, undefined, stream({}));
  const messages = response.message[Symbol.asyncIterator]();
  expect(Buffer.from((await messages.next()).value.value).toString()).toBe("a");
  const failing = failure(messages.next());
  vi.advanceTimersByTime(1_500);
  const error = await failing;
  expect(error).toMatchObject({ code: Code.DeadlineExceeded });
  expect(error.rawMessage).toContain("within 1500 ms");
});

test("a deadline of the daemon's own keeps its words", async () => {
  await using server = await startServer((call) => fail(call, 4, "the shim did not start in time"));
  const error = await failure(server.transport.unary(unary, undefined, 5_000, undefined, {}));
  expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "the shim did not start in time" });
});

test("an abort ends a unary call at the daemon too, with the caller's reason, and leaves no listener", async () => {
  const { server, calls } = await startSilent();
  await using _ = server;
  const controller = new AbortController();
  const { signal } = controller;
  const call = server.transport.unary(unary, signal, undefined, undefined, {});
  await expect.poll(() => calls.length).toBe(1);
  const reason = new Error("enough");
  controller.abort(reason);
  expect(await failure(call)).toMatchObject({ code: Code.Canceled, rawMessage: "enough", cause: reason });
  expect(getEventListeners(signal, "abort")).toEqual([]);
  await isCancelled(calls[0]);

  const early = server.transport.unary(unary, signal, undefined, undefined, {});
  expect((await failure(early)).code).toBe(Code.Canceled);
  expect(calls.length).toBe(1);
  const timeout = new AbortController();
  const timedOut = failure(server.transport.unary(unary, timeout.signal, undefined, undefined, {}));
  await expect.poll(() => calls.length).toBe(2);
  // The same error as AbortSignal.timeout() gives.
  timeout.abort(new DOMException("too late", "TimeoutError"));
  expect((await timedOut).code).toBe(Code.Canceled);
});

test("interceptors wrap each other, the last one nearest to the daemon, and may change what is sent", async () => {
  await using server = await startServer((call) => {
    call.on("data", () => {
      call.write(Buffer.from(String(call.metadata.get("seen")[0])));
      call.end();
    });
  });
  const order: string[] = [];
  const key = createContextKey("nobody");
  const add =
    (name: string): Interceptor =>
    (next) =>
    async (request) => {
      order.push(`${name} before ${request.url.replace(/^http:\/\/[^/]*/, "")}`);
      request.header.set(
        "seen",
        `${request.header.get("seen") ?? ""}${name}:${request.contextValues.get(key)};`,
      );
      const response = await next(request);
      order.push(`${name} after`);
      return response;
    };
  const transport = server.createTransport({ interceptors: [add("outer"), add("inner")] });
  const values = createContextValues().set(key, "me");
  const answer = await transport.unary(unary, undefined, undefined, undefined, bytes("x"), values);
  expect(Buffer.from(answer.message.value).toString()).toBe("outer:me;inner:me;");
  const path = "/test.Kinds/Unary";
  expect(order).toEqual([`outer before ${path}`, `inner before ${path}`, "inner after", "outer after"]);

  const response = await transport.stream(download, undefined, undefined, undefined, stream(bytes("x")));
  expect(await collect(response.message)).toEqual(["outer:nobody;inner:nobody;"]);
});

test("a daemon that dies ends calls as unavailable, and the same connection finds it when it is back", async () => {
  let isSilent = true;
  const calls: ServerCall[] = [];
  await using server = await startServer((call) => {
    calls.push(call);
    call.on("data", (value: Buffer) => {
      if (isSilent) return;
      call.write(value);
      call.end();
    });
  });
  const waiting = server.transport.unary(unary, undefined, 0, undefined, {});
  const reading = server.transport.stream(download, undefined, undefined, undefined, stream({}));
  await expect.poll(() => calls.length).toBe(2);
  server.kill();
  const text = `the connection to unix://${server.socketPath} was cut during the call`;
  for (const call of [waiting, reading]) {
    expect(await failure(call)).toMatchObject({ code: Code.Unavailable, rawMessage: text });
  }
  const gone = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
  expect(gone.code).toBe(Code.Unavailable);

  isSilent = false;
  await server.listen();
  const back = async () =>
    (await server.transport.unary(unary, undefined, undefined, undefined, bytes("x"))).message;
  await expect.poll(back).toMatchObject({ value: Buffer.from("x") });
});

test("closing ends what is under way, and lets nothing more begin", async () => {
  const { server, calls } = await startSilent();
  await using _ = server;
  const waiting = failure(server.transport.unary(unary, undefined, 0, undefined, {}));
  const reading = failure(server.transport.stream(download, undefined, undefined, undefined, stream({})));
  await expect.poll(() => calls.length).toBe(2);
  await server.connection.close();
  for (const error of [await waiting, await reading]) {
    expect(error).toMatchObject({ code: Code.Canceled, rawMessage: "the client was closed" });
  }
  await Promise.all(calls.map(isCancelled));
  const late = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
  expect(late).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "the client is closed" });
});
