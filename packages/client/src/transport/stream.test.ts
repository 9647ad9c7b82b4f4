import { getEventListeners, once } from "node:events";
import { Code, type ConnectError } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
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

const { unary, download, upload, exchange } = METHODS;
const MIB = 1024 * 1024;

afterEach(() => void vi.unstubAllGlobals());

test("calls do not make Headers, which load Node's fetch, unless somebody looks at them", async () => {
  await using server = await startServer((call) => {
    const header = new Metadata();
    header.add("first", "1");
    call.sendMetadata(header);
    call.on("data", (value: Buffer) => {
      call.write(value);
      call.end();
    });
  });
  const { transport } = server;
  vi.stubGlobal(
    "Headers",
    class {
      constructor() {
        throw new Error("Headers were made");
      }
    },
  );
  const one = await transport.unary(unary, undefined, 60_000, undefined, bytes("a"));
  const many = await transport.stream(download, undefined, 60_000, undefined, stream(bytes("b")));
  expect([Buffer.from(one.message.value).toString(), ...(await collect(many.message))]).toEqual(["a", "b"]);
  expect(() => many.header).toThrow("Headers were made");
  vi.unstubAllGlobals();
  expect([one, many].map(({ header }) => header.get("first"))).toEqual(["1", "1"]);
});

test("the daemon streams: headers first, then messages, then trailers", async () => {
  await using server = await startServer((call) => {
    const header = new Metadata();
    header.add("first", "1");
    call.sendMetadata(header);
    call.on("data", (value: Buffer) => {
      for (const letter of value.toString()) call.write(Buffer.from(letter));
      const trailer = new Metadata();
      trailer.add("last", "2");
      call.end(trailer);
    });
  });
  const response = await server.transport.stream(
    download,
    undefined,
    undefined,
    undefined,
    stream(bytes("abc")),
  );
  expect(response.header.get("first")).toBe("1");
  expect(await collect(response.message)).toEqual(["a", "b", "c"]);
  expect(response.trailer.get("last")).toBe("2");
});

test("we stream, and the daemon answers once", async () => {
  await using server = await startServer((call) => {
    const seen: Buffer[] = [];
    call.on("data", (value: Buffer) => seen.push(value));
    call.on("end", () => {
      call.write(Buffer.concat(seen));
      call.end();
    });
  });
  const requests = stream(...["one ", "two ", "three"].map(bytes));
  const response = await server.transport.stream(upload, undefined, undefined, undefined, requests);
  expect(await collect(response.message)).toEqual(["one two three"]);
});

test("both stream, each in its own time", async () => {
  await using server = await startServer((call) => {
    call.on("data", (value: Buffer) => call.write(Buffer.from(value.toString().toUpperCase())));
    call.on("end", () => call.end());
  });
  const answers: string[] = [];
  const waiting: (() => void)[] = [];
  async function* ask() {
    for (const word of ["a", "b", "c"]) {
      yield bytes(word);
      // The next request depends on the answer.
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }
  const response = await server.transport.stream(exchange, undefined, undefined, undefined, ask());
  for await (const { value } of response.message) {
    answers.push(Buffer.from(value).toString());
    waiting.shift()?.();
  }
  expect(answers).toEqual(["A", "B", "C"]);
});

test("an error at once is the call's, one after messages comes after them", async () => {
  await using atOnce = await startServer((call) => fail(call, 5, "no such thing"));
  const call = atOnce.transport.stream(download, undefined, undefined, undefined, stream({}));
  expect(await failure(call)).toMatchObject({ code: Code.NotFound, rawMessage: "no such thing" });

  await using later = await startServer((call) => {
    call.write(Buffer.from("a"));
    call.write(Buffer.from("b"));
    const trailer = new Metadata();
    trailer.add("why", "so");
    fail(call, 15, "the rest is gone", trailer);
  });
  const response = await later.transport.stream(download, undefined, undefined, undefined, stream({}));
  const messages = response.message[Symbol.asyncIterator]();
  expect((await messages.next()).value.value).toEqual(Buffer.from("a"));
  expect((await messages.next()).value.value).toEqual(Buffer.from("b"));
  const error = await failure(messages.next());
  expect(error).toMatchObject({ code: Code.DataLoss, rawMessage: "the rest is gone" });
  expect(error.metadata.get("why")).toBe("so");
});

test("a daemon that answers before it has heard all stops the questions", async () => {
  await using server = await startServer((call) => {
    call.once("data", () => call.end());
  });
  let asked = 0;
  let released = false;
  async function* ask() {
    try {
      for (;;) {
        asked++;
        yield { value: Buffer.alloc(MIB) };
      }
    } finally {
      released = true;
    }
  }
  const response = await server.transport.stream(exchange, undefined, undefined, undefined, ask());
  expect(await collect(response.message)).toEqual([]);
  await expect.poll(() => released).toBe(true);
  expect(asked).toBeLessThan(20);
});

test("a source that fails ends the call on both sides, with its own reason", async () => {
  const calls: ServerCall[] = [];
  await using server = await startServer((call) => {
    calls.push(call);
    call.resume();
  });
  const reason = new RangeError("the disk is empty");
  async function* ask() {
    yield bytes("a");
    throw reason;
  }
  const error = await failure(server.transport.stream(upload, undefined, undefined, undefined, ask()));
  expect(error).toMatchObject({ code: Code.Unknown, rawMessage: "the disk is empty", cause: reason });
  const [call] = calls;
  if (call !== undefined && !call.cancelled) await once(call, "cancelled");
});

test("an abort ends the call in every phase, at the daemon too, and leaves no listener", async () => {
  const calls: ServerCall[] = [];
  await using server = await startServer((call) => {
    calls.push(call);
    if (call.metadata.get("phase")[0] !== "headers") call.sendMetadata(new Metadata());
    if (call.metadata.get("phase")[0] === "messages") call.write(Buffer.from("a"));
    call.on("data", () => undefined);
  });

  for (const phase of ["headers", "messages", "silence"]) {
    const controller = new AbortController();
    const { signal } = controller;
    const started = server.transport.stream(download, signal, undefined, { phase }, stream({}));
    const reason = new Error(`enough of ${phase}`);
    let error: ConnectError;
    if (phase === "headers") {
      await expect.poll(() => calls.length).toBe(1);
      controller.abort(reason);
      error = await failure(started);
    } else {
      const messages = (await started).message[Symbol.asyncIterator]();
      if (phase === "messages") await messages.next();
      const next = messages.next();
      controller.abort(reason);
      error = await failure(next);
    }
    expect(error).toMatchObject({ code: Code.Canceled, cause: reason });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    const call = calls.shift();
    if (call !== undefined && !call.cancelled) await once(call, "cancelled");
  }

  const early = server.transport.stream(download, AbortSignal.abort(), undefined, undefined, stream({}));
  expect((await failure(early)).code).toBe(Code.Canceled);
  expect(calls).toEqual([]);
});

test("an abort after the end changes nothing", async () => {
  await using server = await startServer((call) => {
    call.write(Buffer.from("a"));
    call.end();
  });
  const controller = new AbortController();
  const response = await server.transport.stream(
    download,
    controller.signal,
    undefined,
    undefined,
    stream({}),
  );
  expect(await collect(response.message)).toEqual(["a"]);
  controller.abort();
  expect(await collect(response.message)).toEqual([]);
});

test("a slow reader holds the daemon back, and a daemon that does not read holds the source back", async () => {
  let sent = 0;
  await using server = await startServer((call) => {
    const { kind } = call.metadata.getMap();
    if (kind === "echo") answer(call);
    else if (kind === "upload") call.pause();
    else sendNext();
    function sendNext(): void {
      if (call.cancelled) return;
      call.write(Buffer.alloc(MIB), () => {
        sent++;
        sendNext();
      });
    }
  });
  /** Waits until a number does not change during ten calls over the same connection. */
  async function settled(count: () => number): Promise<number> {
    for (let before = -1; before !== count(); ) {
      before = count();
      for (let round = 0; round < 10; round++)
        await server.transport.unary(unary, undefined, undefined, { kind: "echo" }, bytes("x"));
    }
    return count();
  }

  const controller = new AbortController();
  const response = await server.transport.stream(
    download,
    controller.signal,
    undefined,
    undefined,
    stream({}),
  );
  const messages = response.message[Symbol.asyncIterator]();
  // HTTP/2's window, the buffer for the reader, and the messages in transit.
  const held = await settled(() => sent);
  expect(held).toBeLessThanOrEqual(8);
  for (let read = 0; read < 20; read++) await messages.next();
  expect(await settled(() => sent)).toBe(held + 20);
  controller.abort();
  await failure(messages.next());

  let asked = 0;
  async function* ask() {
    for (;;) {
      asked++;
      yield { value: Buffer.alloc(MIB) };
    }
  }
  const uploading = new AbortController();
  const call = server.transport.stream(upload, uploading.signal, undefined, { kind: "upload" }, ask());
  expect(await settled(() => asked)).toBeLessThanOrEqual(8);
  uploading.abort();
  expect((await failure(call)).code).toBe(Code.Canceled);
});

function answer(call: ServerCall): void {
  call.on("data", (value: Buffer) => {
    call.write(value);
    call.end();
  });
}
