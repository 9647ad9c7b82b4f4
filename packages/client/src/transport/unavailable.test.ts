import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, createCertificates } from "../../test/certificates.js";
import { failure, METHODS } from "../../test/grpc-server.js";
import { parseAddress } from "./address.js";
import { createConnection } from "./connection.js";
import { createTlsContext, type TlsOptions } from "./tls.js";
import { createGrpcTransport } from "./transport.js";
import { describeFinding } from "./unavailable.js";

let directory: string;
let certificates: Certificates;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "unavailable-"));
  certificates = await createCertificates();
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
  await certificates[Symbol.asyncDispose]();
});

/** Listens on a socket with this name, or on a local port if there is no name. Returns the address. */
async function listen(server: Server, name?: string): Promise<string> {
  servers.push(server);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => undefined);
  const path = name && join(directory, name);
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
  const bound = server.address();
  return path ?? `tcp://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`;
}

/** The error message of a call to this address. */
async function complaint(text: string, tls?: TlsOptions): Promise<string> {
  const address = parseAddress(text);
  const connection = createConnection({ address, tls: createTlsContext(address, tls), keepAliveMs: 300 });
  const transport = createGrpcTransport({ connection, headers: {}, timeoutMs: 60_000, interceptors: [] });
  try {
    const error = await failure(transport.unary(METHODS.unary, undefined, undefined, undefined, {}));
    expect(error.code).toBe(Code.Unavailable);
    return error.rawMessage;
  } finally {
    await connection.close();
  }
}

describe("a socket", () => {
  test("that is not there", async () => {
    const path = join(directory, "missing.sock");
    expect(await complaint(path)).toBe(
      `the socket ${path} does not exist: is containerd running, and is this its address?`,
    );
  });

  test("whose daemon has died", async () => {
    const server = createServer();
    await listen(server, "alive.sock");
    const path = join(directory, "dead.sock");
    // Otherwise closing the server would remove the file.
    await rename(join(directory, "alive.sock"), path);
    await new Promise((resolve) => server.close(resolve));
    expect(await complaint(path)).toBe(
      `nothing listens on the socket ${path}: containerd has ended; start it`,
    );
  });

  test("that is a file", async () => {
    const path = join(directory, "file");
    await writeFile(path, "");
    expect(await complaint(path)).toBe(`${path} is not a socket: is this containerd's address?`);
  });

  test("that we may not open", async () => {
    const path = await listen(createServer(), "closed.sock");
    await chmod(path, 0);
    await chmod(directory, 0o755);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await complaint(path)).toBe(
        `no permission to open ${path}: run as root, or let containerd give the socket to your group ([grpc] gid)`,
      );
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

describe("what answers", () => {
  test("is HTTP/1", async () => {
    const address = await listen(createHttpServer(), "http.sock");
    expect(await complaint(address)).toContain("speaks HTTP/1 and is not containerd");
  });

  test("hangs up", async () => {
    const address = await listen(createServer((socket) => socket.once("data", () => socket.end())));
    expect(await complaint(address)).toContain("closed the connection at once: it is not containerd");
  });

  test("says something else", async () => {
    const address = await listen(createServer((socket) => socket.end("220 mail.example ESMTP\r\n")));
    expect(await complaint(address)).toContain("does not speak gRPC");
  });

  test("says nothing", async () => {
    const address = await listen(createServer());
    expect(await complaint(address)).toContain("something listens at tcp://");
  });

  test("is nobody", async () => {
    const server = createServer();
    const address = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await complaint(address)).toContain(`nothing listens at ${address}`);
  });
});

describe("TLS", () => {
  const serve = (options: { requestCert?: boolean; maxVersion?: "TLSv1.2" } = {}): Server =>
    createTlsServer({
      ...certificates.server,
      ca: certificates.authority.cert,
      rejectUnauthorized: true,
      ...options,
    });
  const https = (address: string): string => address.replace("tcp:", "https:");

  test("where we speak plain", async () => {
    for (const requestCert of [false, true]) {
      const address = await listen(serve({ requestCert }));
      expect(await complaint(address)).toBe(
        `the server at ${address} expects TLS: give the address as https://, with tls`,
      );
    }
  });

  test("where the daemon speaks plain", async () => {
    const address = https(
      await listen(createServer((socket) => socket.once("data", () => socket.end("no TLS here")))),
    );
    expect(await complaint(address)).toBe(`${address} does not speak TLS: is its address tcp://?`);
  });

  test("with a certificate that we do not trust", async () => {
    const address = https(await listen(serve()));
    expect(await complaint(address)).toContain("is not trusted: give the authority that signed it as tls.ca");
    expect(await complaint(address, { ca: certificates.stranger.cert })).toContain("is not trusted");
  });

  test("with a certificate for another name", async () => {
    const address = https(await listen(serve()));
    const { cert: ca } = certificates.authority;
    expect(await complaint(address, { ca, serverName: "other.test" })).toContain(
      "is for another name: give that name as tls.serverName",
    );
  });

  test.each([undefined, "TLSv1.2"] as const)(
    "with a daemon that does not trust us (%s)",
    async (maxVersion) => {
      const address = https(await listen(serve({ requestCert: true, ...(maxVersion && { maxVersion }) })));
      const { cert: ca } = certificates.authority;
      const text = "does not accept our certificate: give one that it trusts as tls.cert and tls.key";
      expect(await complaint(address, { ca })).toContain(text);
      // Node's server sends nothing; other servers send an alert.
      expect(await complaint(address, { ca, ...certificates.stranger })).toContain(
        "closed the connection during the TLS handshake: if it does not accept our certificate",
      );
    },
  );
});

test.each([
  ["ENOTFOUND", "the host of https://host:1 does not exist"],
  ["EAI_AGAIN", "the host of https://host:1 does not exist"],
  ["EHOSTUNREACH", "cannot be reached: is the machine up"],
  ["ETIMEDOUT", "cannot be reached: is the machine up"],
  ["EMFILE", "cannot be reached: too many open files"],
])("a host with %s", (code, text) => {
  const finding = { kind: "error", code, message: "too many open files", isTls: false } as const;
  expect(describeFinding(finding, parseAddress("https://host:1"))).toContain(text);
});
