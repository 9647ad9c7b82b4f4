import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_TLS } from "./host.js";
import { createHttpClient } from "./http.js";

let server: Server;
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

async function serve(handle: (response: ServerResponse) => void): Promise<URL> {
  server = createServer((_, response) => handle(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** Reads a body that sends one chunk every few milliseconds. */
async function read(chunk: Uint8Array, count: number): Promise<number> {
  const url = await serve((response) => {
    let left = count;
    const timer = setInterval(() => (left-- > 0 ? response.write(chunk) : response.end()), 5);
    response.on("close", () => clearInterval(timer));
  });
  // Above a second, undici does not count the time in which this process was stopped.
  const timeouts = { connectMs: 10_000, headersMs: 10_000, stallMs: 1_500 };
  await using http = createHttpClient({ tls: DEFAULT_TLS, timeouts, mayBePlain: new Set() });
  const { body } = await http.request({ method: "GET", url, headers: {}, about: { resource: "blobs" } });
  let bytes = 0;
  for await (const part of body) bytes += part.byteLength;
  return bytes;
}

describe("a body that nobody wants", () => {
  test("is not waited for", async () => {
    const url = await serve((response) => void response.writeHead(200, { "content-length": "9" }).write("x"));
    const timeouts = { connectMs: 10_000, headersMs: 10_000, stallMs: 60_000 };
    await using http = createHttpClient({ tls: DEFAULT_TLS, timeouts, mayBePlain: new Set() });
    const closed = new Promise((resolve) => server.on("connection", (socket) => socket.on("close", resolve)));
    await (await http.request({ method: "GET", url, headers: {}, about: { resource: "blobs" } })).discard();
    await closed;
  });
});

describe("a body that never stands still", () => {
  test("is given up when it is too slow", async () => {
    await expect(read(Buffer.alloc(1), 100_000)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("too slow"),
      cause: { isTransient: true },
    });
  });

  test("is read to its end when it is slow, and steady", async () => {
    // So much at a time that it is no less than 1 KiB a second on a machine that stops for a while.
    expect(await read(Buffer.alloc(65_536), 500)).toBe(500 * 65_536);
  });
});
