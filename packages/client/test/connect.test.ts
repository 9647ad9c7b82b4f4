import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ClientOptions, createClient, observe, type RpcDiagnostic } from "@wfe-containerd/client";
import { type Daemon, startDaemon } from "@wfe-containerd/client/daemon";
import { pauseProcess } from "@wfe-containerd/test-infra/daemon";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Certificates, createCertificates } from "./certificates.js";

const run = promisify(execFile);

/** A machine that also runs other suites takes its time. */
const READY = { readyTimeoutMs: 100_000 };
let daemon: Daemon;
let certificates: Certificates;

beforeAll(async () => {
  daemon = await startDaemon(READY);
  certificates = await createCertificates();
});

afterAll(async () => {
  await daemon.stop();
  await certificates[Symbol.asyncDispose]();
});

afterEach(() => vi.unstubAllEnvs());

/** A loopback address that no other test uses. It is for a server that does not report its port. */
function ownAddress(): string {
  const [a, b, c] = randomBytes(3);
  return `127.${(a ?? 0) | 1}.${b}.${c}:2500`;
}

/** Forwards a local port to the daemon's socket. */
async function forward(kind: string, ...options: string[]): Promise<{ port: number } & AsyncDisposable> {
  const listen = [`${kind}:0`, "bind=127.0.0.1", "reuseaddr", "fork", ...options].join(",");
  const child = spawn("socat", ["-d", "-d", listen, `UNIX-CONNECT:${daemon.socketPath}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close");
  let log = "";
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const [, found] = /listening on .*:(\d+)\n/.exec(log) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
    void ended.then(() => reject(new Error(`socat ended: ${log}`)));
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

describe("an address", () => {
  test("is a path, a URL, a variable, or containerd's own", async () => {
    for (const address of [daemon.socketPath, `unix://${daemon.socketPath}`, `unix:${daemon.socketPath}`]) {
      await using client = createClient({ address });
      expect(client).toMatchObject({
        address: `unix://${daemon.socketPath}`,
        isLocal: true,
        namespace: "default",
      });
      expect(await client.version()).toMatchObject({ version: daemon.version });
    }
    vi.stubEnv("CONTAINERD_ADDRESS", daemon.socketPath);
    vi.stubEnv("CONTAINERD_NAMESPACE", "by-variable");
    vi.stubEnv("CONTAINERD_SNAPSHOTTER", "native");
    await using second = createClient();
    expect(second).toMatchObject({
      address: daemon.address,
      namespace: "by-variable",
      snapshotter: "native",
    });
    vi.stubEnv("WFE_CONTAINERD_ADDR", "/run/elsewhere.sock");
    await using first = createClient();
    expect(first.address).toBe("unix:///run/elsewhere.sock");
    for (const name of [
      "WFE_CONTAINERD_ADDR",
      "CONTAINERD_ADDRESS",
      "CONTAINERD_NAMESPACE",
      "CONTAINERD_SNAPSHOTTER",
    ])
      vi.stubEnv(name, "");
    await using own = createClient();
    expect(own).toMatchObject({
      address: "unix:///run/containerd/containerd.sock",
      namespace: "default",
      snapshotter: "overlayfs",
    });
  });

  test("that cannot be is refused before anything is opened, by the name it came under", () => {
    vi.stubEnv("CONTAINERD_ADDRESS", "containerd.sock");
    expect(() => createClient()).toThrow(
      /^CONTAINERD_ADDRESS: "containerd.sock" is neither an absolute path/,
    );
    expect(() => createClient({ address: "tcp://10.0.0.1:2500" })).toThrow(/^address: .*insecure: true/);
  });
});

test.each([
  [{ namespace: "a/b" }, "namespace"],
  [{ namespace: "" }, "namespace"],
  [{ namespace: "a".repeat(77) }, "namespace"],
  [{ namespace: "a\r\nb: c" }, "namespace"],
  [{ snapshotter: "a\nb" }, "snapshotter"],
] satisfies [ClientOptions, string][])("%j is refused", (options, field) => {
  const refusal = expect.objectContaining({
    kind: "invalid-argument",
    message: expect.stringContaining(`${field}: `),
  });
  expect(() => createClient({ address: daemon.address, ...options })).toThrow(refusal);
  expect(() => createClient({ address: daemon.address }).with(options)).toThrow(refusal);
});

test("views share a connection, see their own namespace, and close nothing", async () => {
  await using client = createClient({ address: daemon.address, namespace: "one" });
  const two = client.with({ namespace: "two" });
  const lease = await client.leases.create({ id: "only-in-one" });
  expect((await client.leases.list()).map(({ id }) => id)).toEqual(["only-in-one"]);
  expect(await two.leases.list()).toEqual([]);
  await lease.delete();
  const held = two.with({ leaseId: "l" });
  expect(held).toMatchObject({ namespace: "two", leaseId: "l", snapshotter: client.snapshotter });
  expect(() => two.with({ leaseId: "l\r\nx: y" })).toThrow(/lease id/);
  await two.close();
  await held[Symbol.asyncDispose]();
  expect(await client.version()).toMatchObject({ version: daemon.version });
  await client.close();
  await expect(two.version()).rejects.toMatchObject({
    kind: "failed-precondition",
    message: "ask for the daemon's version: the client is closed",
  });
});

test("each call is observed, with its outcome, and without what it carries", async () => {
  await using client = createClient({ address: daemon.address, namespace: "observed" });
  const begun: RpcDiagnostic[] = [];
  const ended: RpcDiagnostic[] = [];
  const isOver = (method: string) => ended.some((each) => each.method === method);
  const stop = observe({
    rpc: { start: (message) => begun.push(message), end: (message) => ended.push({ ...message }) },
  });
  try {
    await client.version();
    await expect(client.containers.get("secret-canary")).rejects.toMatchObject({ kind: "not-found" });
    for await (const content of client.content.list()) expect(content).toBeUndefined();
    const abort = new AbortController();
    const subscription = client.events.subscribe({ signal: abort.signal });
    await subscription.ready();
    // By its own event the subscription knows that the daemon has it.
    await expect.poll(() => isOver("Publish")).toBe(true);
    abort.abort();
    await expect.poll(() => isOver("Subscribe") && ended.length === begun.length).toBe(true);
  } finally {
    stop();
  }
  await client.version();
  const common = {
    address: daemon.address,
    transport: "unix",
    namespace: "observed",
    attempt: 1,
    isStream: false,
    durationMs: expect.any(Number),
    code: 0,
    errorKind: undefined,
  };
  const service = (name: string) => `containerd.services.${name}`;
  const version = { ...common, service: service("version.v1.Version"), method: "Version" };
  const subscription = { ...common, service: service("events.v1.Events") };
  // On a busy machine the subscription may publish its event more than once.
  const [, ...again] = ended.filter(({ method }) => method === "Publish");
  expect(ended.filter((each) => !again.includes(each))).toEqual([
    version,
    {
      ...common,
      service: service("containers.v1.Containers"),
      method: "Get",
      code: 5,
      errorKind: "not-found",
    },
    { ...common, service: service("content.v1.Content"), method: "List", isStream: true },
    { ...subscription, method: "Publish" },
    { ...subscription, method: "Subscribe", isStream: true },
  ]);
  expect(new Set(begun).size).toBe(ended.length);
});

test("an invalid WFE_DEBUG is refused", () => {
  vi.stubEnv("WFE_DEBUG", "rcp");
  expect(() => createClient({ address: daemon.address })).toThrow(
    /^WFE_DEBUG: .* did you mean rpc\?; allowed: /,
  );
});

describe("over TCP", () => {
  test("in plain, from this machine", async () => {
    await using way = await forward("TCP-LISTEN");
    await using client = createClient({ address: `tcp://localhost:${way.port}`, keepAliveMs: 1_000 });
    expect(client).toMatchObject({ isLocal: false, address: `tcp://localhost:${way.port}` });
    expect(await client.version()).toMatchObject({ version: daemon.version });
    await using lease = await client.leases.create();
    expect((await client.leases.list()).map(({ id }) => id)).toContain(lease.id);
  });

  test("bad input 25: with TLS on both sides, and with nothing less", async () => {
    const { authority, client: ours, stranger, path } = certificates;
    const files = [`cert=${path("server", "cert")}`, `key=${path("server", "key")}`];
    await using way = await forward(
      "OPENSSL-LISTEN",
      ...files,
      `cafile=${path("authority", "cert")}`,
      "verify=1",
    );
    const address = `https://127.0.0.1:${way.port}`;
    const version = async (tls?: ClientOptions["tls"]) => {
      await using client = createClient({ address, tls });
      return await client.version();
    };
    const ca = authority.cert;
    expect(await version({ ca, ...ours })).toMatchObject({ version: daemon.version });
    expect(await version({ ca: Buffer.from(ca), ...ours, serverName: "daemon.test" })).toMatchObject({
      version: daemon.version,
    });
    await expect(version({ ...ours })).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("is not trusted: give the authority that signed it as tls.ca"),
    });
    await expect(version({ ca, ...ours, serverName: "other.test" })).rejects.toThrow("is for another name");
    for (const tls of [{ ca }, { ca, ...stranger }]) {
      await expect(version(tls)).rejects.toMatchObject({
        kind: "unavailable",
        message: expect.stringMatching(/accept our certificate.* tls.cert and tls.key/),
      });
    }
  });

  test("at containerd's own tcp_address there are no services of its, and that is said", async () => {
    const { authority, client: ours, stranger, path } = certificates;
    const tcp = {
      address: ownAddress(),
      ca: path("authority", "cert"),
      cert: path("server", "cert"),
      key: path("server", "key"),
    };
    await using other = await startDaemon({ ...READY, tcp });
    await using local = createClient({ address: other.address });
    expect(await local.version()).toMatchObject({ version: other.version });
    const address = `https://${tcp.address}`;
    const trust = { ca: authority.cert, serverName: "daemon.test" };
    await using client = createClient({ address, tls: { ...trust, ...ours } });
    await expect(client.version()).rejects.toMatchObject({
      kind: "not-implemented",
      message: expect.stringContaining("or this is its tcp_address, which serves only Kubernetes"),
    });
    for (const tls of [trust, { ...trust, ...stranger }]) {
      await using refused = createClient({ address, tls });
      await expect(refused.version()).rejects.toThrow(/does not accept our certificate/);
    }
    await using plain = createClient({ address: `tcp://${tcp.address}` });
    await expect(plain.version()).rejects.toThrow("expects TLS: give the address as https://, with tls");
  });
});

describe("a daemon", () => {
  test("that does not answer is said to, and answers the same client afterwards", async () => {
    await using client = createClient({ address: daemon.address, timeoutMs: 200 });
    await client.version({ timeoutMs: 60_000 });
    try {
      await pauseProcess(daemon.pid);
      await expect(client.version()).rejects.toMatchObject({
        kind: "deadline-exceeded",
        message: `ask for the daemon's version: the daemon at ${daemon.address} did not answer within 200 ms`,
      });
      // Nor does the daemon answer a client that was not connected before.
      await using late = createClient({ address: daemon.address });
      await expect(late.version({ timeoutMs: 100 })).rejects.toThrow("did not answer within 100 ms");
    } finally {
      process.kill(daemon.pid, "SIGCONT");
    }
    expect(await client.version({ timeoutMs: 60_000 })).toMatchObject({ version: daemon.version });
  });

  test("that dies ends what waits, is missed by name, and serves the same client when it is back", async () => {
    await using other = await startDaemon(READY);
    await using client = createClient({ address: other.address });
    await client.version();
    const events = client.services.events.subscribe({})[Symbol.asyncIterator]().next();
    const cut = expect(events).rejects.toThrow("was cut during the call");
    // This request follows the subscription on the same connection. Once it is answered, the daemon has the
    // subscription.
    await client.version();
    other.kill("SIGKILL");
    await other.exited;
    await cut;
    await expect(client.version()).rejects.toMatchObject({
      kind: "unavailable",
      message: `ask for the daemon's version: nothing listens on the socket ${other.socketPath}: containerd has ended; start it`,
    });
    await other.restart();
    expect(await client.version()).toMatchObject({ version: other.version });
  });
});

test("a closed client leaves nothing that keeps the process, whatever it was at", async () => {
  // This runs the built package, as users do. The process must end by itself.
  const script = fileURLToPath(new URL("leave.mjs", import.meta.url));
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const bound = silent.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  try {
    const { stdout } = await run(process.execPath, [script, daemon.socketPath, String(port)], {
      timeout: 100_000,
    });
    expect(stdout.trim().split("\n")).toEqual([
      "called",
      // After a cut the subscription is made again. A closed client refuses that.
      "waiting: failed-precondition",
      "silent: canceled",
      "silent with TLS: canceled",
      "closed",
    ]);
  } finally {
    silent.close();
  }
});
