import { once } from "node:events";
import {
  type ClientRequest,
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
  request as sendRequest,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificate } from "./certificates.js";

/** What goes wrong with one request or its answer. */
export type Fault =
  /** The proxy itself answers. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
      readonly body?: string | Uint8Array;
    }
  /** The connection is cut after this many bytes of the answer's body. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** The connection is cut after this many bytes of the request's body, which are passed on. */
  | { readonly kind: "cut-request"; readonly afterBytes: number }
  /** After this many bytes of the answer's body no more come. The connection stays open. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** One bit is flipped in this byte of the answer's body. */
  | { readonly kind: "flip"; readonly atByte: number }
  /** Headers of the answer are replaced. Undefined removes a header. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string | undefined>> }
  /** The request waits for this promise. */
  | { readonly kind: "hold"; readonly until: Promise<unknown> };

export interface RequestSeen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A proxy between a client and a registry that causes faults on request. */
export interface FaultProxy extends AsyncDisposable {
  /** For example `127.0.0.1:40123`. */
  readonly host: string;
  readonly origin: string;
  /** Every request, in order. */
  readonly requests: readonly RequestSeen[];
  /** How many bytes of bodies were passed on to clients. */
  readonly bytesOut: number;
  /**
   * Adds a rule for requests. Newer rules come first.
   *
   * @param match is tested on the method and the path: `GET /v2/app/blobs/…`.
   * @param fault for every match; or a function that gets the number of the match (0 for the first) and
   *   returns a fault, or undefined for the next rule.
   * @example
   * proxy.on(/GET .+blobs/, (count) => (count === 0 ? { kind: "cut", afterBytes: 100 } : undefined));
   */
  on(match: RegExp, fault: Fault | ((count: number) => Fault | undefined)): void;
  /** Removes all rules, and clears the list of requests and the count of bytes. */
  reset(): void;
}

export interface FaultProxyOptions {
  readonly tls?: Certificate;
  /** @default "127.0.0.1" */
  readonly address?: string;
}

/**
 * @param upstream the registry's origin, plain HTTP. Without one, the answer is 404 unless a rule answers.
 */
export async function startFaultProxy(
  upstream?: string,
  { tls, address = "127.0.0.1" }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  let rules: { match: RegExp; decide: (count: number) => Fault | undefined; count: number }[] = [];
  let requests: RequestSeen[] = [];
  let bytesOut = 0;

  function faultFor(line: string): Fault | undefined {
    for (const rule of rules) {
      if (!rule.match.test(line)) continue;
      const fault = rule.decide(rule.count++);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    requests.push({
      method,
      path: url,
      headers: Object.fromEntries(Object.entries(request.headers).map(([k, v]) => [k, String(v)])),
    });
    const fault = faultFor(`${method} ${url}`);
    if (fault?.kind === "hold") await fault.until;
    if (fault?.kind === "answer" || upstream === undefined) {
      const { status, headers = {}, body = "" } = fault?.kind === "answer" ? fault : { status: 404 };
      request.resume();
      const all = Object.entries({ "content-length": String(Buffer.byteLength(body)), ...headers });
      const given = Object.fromEntries(all.filter(([, value]) => value !== undefined));
      response.writeHead(status, given as never);
      response.end(method === "HEAD" ? undefined : body);
      return;
    }
    const forwarded = sendRequest(new URL(url, upstream), { method, headers: request.headers, agent: false });
    forwarded.on("error", () => response.destroy());
    response.on("close", () => forwarded.destroy());
    if (fault?.kind === "cut-request") return cutRequest(request, forwarded, fault.afterBytes);
    request.pipe(forwarded);
    const [answer] = (await once(forwarded, "response")) as [IncomingMessage];
    const changed = fault?.kind === "headers" ? fault.headers : {};
    const headers = Object.entries({ ...answer.headers, ...changed }).filter(
      ([, value]) => value !== undefined,
    );
    response.writeHead(answer.statusCode ?? 500, Object.fromEntries(headers) as never);
    if (fault?.kind === "headers") response.strictContentLength = false;
    await passBody(answer, response, fault);
  }

  async function cutRequest(
    request: IncomingMessage,
    forwarded: ClientRequest,
    afterBytes: number,
  ): Promise<void> {
    let left = afterBytes;
    for await (const part of request) {
      const passed = (part as Buffer).subarray(0, left);
      left -= passed.byteLength;
      await new Promise((resolve) => forwarded.write(passed, resolve));
      if (left === 0) break;
    }
    forwarded.destroy();
    request.destroy();
  }

  async function passBody(
    answer: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    let at = 0;
    for await (const part of answer) {
      let chunk = part as Buffer;
      const limit =
        fault?.kind === "cut" || fault?.kind === "stall" ? fault.afterBytes - at : Number.POSITIVE_INFINITY;
      if (fault?.kind === "flip" && fault.atByte >= at && fault.atByte < at + chunk.byteLength) {
        chunk = Buffer.from(chunk);
        chunk.writeUInt8(chunk.readUInt8(fault.atByte - at) ^ 1, fault.atByte - at);
      }
      const passed = chunk.subarray(0, Math.max(Math.min(limit, chunk.byteLength), 0));
      at += chunk.byteLength;
      bytesOut += passed.byteLength;
      const isTaken = response.write(passed);
      if (limit <= chunk.byteLength) {
        if (fault?.kind === "stall") return;
        // The client must get what was written before the connection is cut.
        await new Promise((resolve) => response.write("", resolve));
        response.destroy();
        return;
      }
      if (!isTaken && !response.destroyed) await drained(response);
      if (response.destroyed) return;
    }
    response.end();
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => response.destroy());
  };
  const server =
    tls === undefined
      ? createHttpServer(listener)
      : createHttpsServer({ cert: tls.cert, key: tls.key }, listener);
  // Node closes a connection that is idle for 5 seconds. After a pause of this process, a client would learn
  // of that only by its next request, and tests count these.
  server.keepAliveTimeout = 0;
  server.listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = `${address}:${port}`;
  return {
    host,
    origin: `${tls === undefined ? "http" : "https"}://${host}`,
    get requests() {
      return requests;
    },
    get bytesOut() {
      return bytesOut;
    },
    on(match, fault) {
      rules.unshift({ match, decide: typeof fault === "function" ? fault : () => fault, count: 0 });
    },
    reset() {
      rules = [];
      requests = [];
      bytesOut = 0;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Resolves when the response accepts more data, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });
}
