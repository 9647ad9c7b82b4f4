import { getEventListeners } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  bytes,
  collect,
  failure,
  METHODS,
  type ServerCall,
  startServer,
  stream,
} from "../../test/grpc-server.js";

/** Answers with the request. */
function echo(call: ServerCall): void {
  call.on("data", (value: Buffer) => call.write(value)).on("end", () => call.end());
}

const ROUNDS = 20;

test("a daemon that is back is found by the next call already", async () => {
  await using server = await startServer(echo);
  const { transport } = server;
  const unary = () => transport.unary(METHODS.unary, undefined, undefined, undefined, bytes("one"));
  const exchange = async () => {
    const { message } = await transport.stream(
      METHODS.exchange,
      undefined,
      undefined,
      undefined,
      stream(bytes("two"), bytes("three")),
    );
    return collect(message);
  };
  await unary();
  for (let round = 0; round < ROUNDS; round++) {
    server.kill();
    expect(await failure(unary())).toMatchObject({ code: Code.Unavailable });
    await server.listen();
    if (round % 2 === 0) expect((await unary()).message.value).toEqual(Buffer.from("one"));
    else expect(await exchange()).toEqual(["two", "three"]);
  }
});

test("who waits for it may stop", async () => {
  await using server = await startServer(echo);
  const unary = (signal?: AbortSignal) =>
    server.transport.unary(METHODS.unary, signal, undefined, undefined, bytes("one"));
  await unary();
  server.kill();
  await failure(unary());
  await server.listen();
  const aborted = new AbortController();
  const waiting = unary(aborted.signal);
  aborted.abort();
  expect(await failure(waiting)).toMatchObject({ code: Code.Canceled });
});

test("a daemon that listens before it answers is waited for, and not by who gives up", async () => {
  await using server = await startServer(echo);
  const unary = (signal?: AbortSignal) =>
    server.transport.unary(METHODS.unary, signal, undefined, undefined, bytes("one"));
  await unary();
  server.kill();
  await failure(unary());
  await rm(server.socketPath, { force: true });
  const slow = createServer(() => calls++);
  let calls = 0;
  await new Promise<void>((resolve) => slow.listen(server.socketPath, resolve));
  const aborted = new AbortController();
  const waiting = failure(unary(aborted.signal));
  await expect.poll(() => calls).toBeGreaterThan(0);
  aborted.abort();
  expect(await waiting).toMatchObject({ code: Code.Canceled });
  slow.close();
});

test("a wait for the connection leaves no listener on its signal", async () => {
  await using server = await startServer(echo);
  const unary = () => server.transport.unary(METHODS.unary, undefined, undefined, undefined, bytes("one"));
  await unary();
  server.kill();
  await failure(unary());
  const { signal } = new AbortController();
  const back = server.connection.reconnected(signal);
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await server.listen();
  await back;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a connection that is closed meanwhile is waited for no longer", async () => {
  await using server = await startServer(echo);
  const unary = () => server.transport.unary(METHODS.unary, undefined, undefined, undefined, bytes("one"));
  await unary();
  server.kill();
  await failure(unary());
  await server.listen();
  const waiting = failure(unary());
  await server.connection.close();
  expect(await waiting).toMatchObject({ code: Code.FailedPrecondition });
});

test.each(["unary", "exchange"] as const)(
  "a call (%s) that is aborted as soon as it is made ends",
  async (kind) => {
    await using server = await startServer(() => undefined);
    const { transport } = server;
    const aborted = new AbortController();
    const call =
      kind === "unary"
        ? transport.unary(METHODS.unary, aborted.signal, undefined, undefined, bytes("one"))
        : transport.stream(METHODS.exchange, aborted.signal, undefined, undefined, stream(bytes("one")));
    aborted.abort();
    expect(await failure(call)).toMatchObject({ code: Code.Canceled });
  },
);
