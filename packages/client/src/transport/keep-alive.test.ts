import { connect, createServer, type Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import {
  bytes,
  collect,
  failure,
  METHODS,
  type ServerCall,
  startServer,
  stream,
} from "../../test/grpc-server.js";
import { parseAddress } from "./address.js";
import type { Call } from "./channel-call.js";
import { type Connection, createConnection } from "./connection.js";
import { keepAlive } from "./keep-alive.js";
import type { Sockets } from "./socket.js";
import { createGrpcTransport } from "./transport.js";

const { unary, download } = METHODS;

/**
 * A TCP proxy to a socket. It can be cut without notice: it then forwards nothing, and neither side is told.
 */
async function startWay(socketPath: string) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(socketPath);
    for (const socket of [near, far]) sockets.add(socket.on("error", () => undefined));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  const address = `tcp://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`;
  return {
    address,
    cut() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function connectTo(text: string, keepAliveMs: number) {
  const connection = createConnection({ address: parseAddress(text), tls: undefined, keepAliveMs });
  const transport = createGrpcTransport({ connection, headers: {}, timeoutMs: 0, interceptors: [] });
  return { transport, [Symbol.asyncDispose]: connection.close };
}

test("a cut that nobody told of ends the calls that wait, and the next one goes another way", async () => {
  const calls: ServerCall[] = [];
  await using server = await startServer((call) => {
    calls.push(call);
    if (call.metadata.get("kind")[0] === "wait") return;
    call.on("data", (value: Buffer) => {
      call.write(value);
      call.end();
    });
  });
  await using way = await startWay(server.socketPath);
  await using connected = connectTo(way.address, 1_000);
  const { transport } = connected;
  const waiting = failure(transport.unary(unary, undefined, undefined, { kind: "wait" }, {}));
  const reading = failure(transport.stream(download, undefined, undefined, { kind: "wait" }, stream({})));
  await expect.poll(() => calls.length).toBe(2);
  way.cut();
  for (const error of [await waiting, await reading]) {
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(error.rawMessage).toBe(`the connection to ${way.address} was cut during the call`);
  }
  const { message } = await transport.unary(unary, undefined, undefined, undefined, bytes("back"));
  expect(Buffer.from(message.value).toString()).toBe("back");
});

test("a daemon that is quiet, but there, is waited for", async () => {
  let release: (() => void) | undefined;
  await using server = await startServer((call) => {
    call.resume();
    release = () => {
      call.write(Buffer.from("at last"));
      call.end();
    };
  });
  await using way = await startWay(server.socketPath);
  await using connected = connectTo(way.address, 1_000);
  const waiting = connected.transport.stream(download, undefined, undefined, undefined, stream({}));
  await expect.poll(() => server.versionCalls).toBeGreaterThan(2);
  release?.();
  expect(await collect((await waiting).message)).toEqual(["at last"]);
});

test("a process that was stopped reads what came meanwhile before it takes its connection for cut", async () => {
  let release = (): void => undefined;
  let stops = 1;
  /** Server and client are in one process. While this blocks it, neither of them makes progress. */
  function stop(): void {
    if (stops-- < 1) return;
    const until = performance.now() + 2_000;
    while (performance.now() < until);
    setTimeout(release, 1_000);
  }
  await using server = await startServer((call) => {
    call.resume();
    release = () => {
      call.write(Buffer.from("still there"));
      call.end();
    };
  }, stop);
  await using way = await startWay(server.socketPath);
  await using connected = connectTo(way.address, 1_000);
  const { message } = await connected.transport.stream(download, undefined, undefined, undefined, stream({}));
  expect(await collect(message)).toEqual(["still there"]);
});

test("bytes that come in are a sign of life, when nobody waits none is asked for, and one question is enough", () => {
  vi.useFakeTimers();
  try {
    let isBusy = false;
    let bytesRead = 0;
    const call = {
      cancelWithStatus: vi.fn(),
      sendMessageWithContext: vi.fn(),
      halfClose: vi.fn(),
      startRead: vi.fn(),
    };
    const start = vi.fn((..._: Parameters<Connection["start"]>) => call as unknown as Call);
    const destroy = vi.fn();
    const sockets: Pick<Sockets, "bytesRead" | "destroy"> = {
      destroy,
      get bytesRead() {
        return bytesRead;
      },
    };
    const stop = keepAlive({ start, isBusy: () => isBusy, sockets, intervalMs: 20_000 });

    vi.advanceTimersByTime(60_000);
    expect(start).not.toHaveBeenCalled();
    isBusy = true;
    vi.advanceTimersByTime(20_000);
    expect(start).toHaveBeenCalledTimes(1);
    bytesRead = 1;
    vi.advanceTimersByTime(10_000);
    expect(call.cancelWithStatus).toHaveBeenCalledTimes(1);
    expect(destroy).not.toHaveBeenCalled();
    // The call's status has not arrived yet.
    vi.advanceTimersByTime(60_000);
    expect(start).toHaveBeenCalledTimes(1);
    start.mock.calls[0]?.[2].onReceiveStatus({ code: 1, details: "", metadata: new Metadata() });
    vi.advanceTimersByTime(30_000);
    expect(start).toHaveBeenCalledTimes(2);
    expect(destroy).toHaveBeenCalledTimes(1);
    stop();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
