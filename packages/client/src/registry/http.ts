import * as tls from "node:tls";
import type { Dispatcher } from "undici";
import { canceled } from "../concurrency/canceled.js";
import { createThroughputMonitor } from "../concurrency/throughput.js";
import { type RequestSubject, type RequestTrace, traceRequest } from "../diagnostics/registry-request.js";
import { ContainerdError } from "../error.js";
import type { OptionNames } from "../options.js";
import { decodeBody, parseCodings } from "./content-coding.js";
import { transportError, uselessAnswer } from "./failure.js";
import { isLoopback, showUrl } from "./plain-http.js";
import { proxyFor } from "./proxy.js";
import { isRedirect, MAX_REDIRECTS, redirectHeaders, redirectTarget } from "./redirect.js";

/** TLS settings for one host. Certificates and keys are the content of PEM files. */
export interface HttpTls {
  /** Certificates of authorities to trust, in addition to Node's own. */
  readonly ca: readonly string[];
  /** Client certificates with their keys, at most one for each kind of key. */
  readonly clientPairs: readonly { readonly cert: string; readonly key: string }[];
  /** The server's certificate is not verified. */
  readonly skipVerify: boolean;
  /**
   * The source of each certificate or key, by its content; for errors:
   * `/etc/containerd/certs.d/a.example/hosts.toml: ca: the file …`.
   */
  readonly places?: ReadonlyMap<string, string> | undefined;
}

/** Time limits of requests to registries. */
export interface HttpTimeouts {
  /**
   * Time limit for connecting, in milliseconds.
   *
   * @default 30000
   */
  readonly connectMs: number;
  /**
   * Time limit from the request to the headers of the answer, in milliseconds.
   *
   * @default 60000
   */
  readonly headersMs: number;
  /**
   * Time limit for a stalled body, in milliseconds: no byte comes, or less than 1 KiB a second. Only the time
   * counts in which we wait for the next bytes.
   *
   * @default 60000
   */
  readonly stallMs: number;
}

/** Some of the settings of {@link HttpTimeouts}. The others have their defaults. */
export type HttpTimeoutOptions = { readonly [K in keyof HttpTimeouts]?: HttpTimeouts[K] | undefined };

export const TIMEOUT_OPTIONS: OptionNames<HttpTimeoutOptions> = {
  connectMs: true,
  headersMs: true,
  stallMs: true,
};

export const DEFAULT_TIMEOUTS: HttpTimeouts = { connectMs: 30_000, headersMs: 60_000, stallMs: 60_000 };

export interface HttpClientOptions {
  readonly tls: HttpTls;
  readonly timeouts: HttpTimeouts;
  /** Hosts that a redirect may lead to over plain http, in addition to this machine. */
  readonly mayBePlain: ReadonlySet<string>;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A request with a body does not follow redirects, because an iterable can be sent only once. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What is asked for, for diagnostics. */
  readonly about: RequestSubject;
}

export interface HttpResponse {
  readonly status: number;
  /** The URL that answered, after redirects. */
  readonly url: URL;
  header(name: string): string | undefined;
  headerAll(name: string): string[];
  /**
   * Content codings of the body, in the order in which they were applied. We ask for no coding, but some
   * servers apply one.
   */
  readonly codings: readonly string[];
  /**
   * The decoded body. Only one of `body` and `rawBody` can be read, and only once. If the transfer breaks
   * off, the loop throws a ContainerdError whose cause is a RegistryFailure.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** The body as it was sent, with its content codings. */
  readonly rawBody: AsyncIterable<Uint8Array>;
  /** The decoded body as text, cut off after `maxBytes` bytes. */
  text(maxBytes: number): Promise<string>;
  /** Drops a body that will not be read. */
  discard(): Promise<void>;
}

/** An HTTP client for one host, and for the hosts that it redirects to. */
export interface HttpClient extends AsyncDisposable {
  /**
   * Sends a request. Requests without a body follow redirects by the rules of `redirect.ts`. Every other
   * status is returned.
   *
   * @throws ContainerdError `canceled` if the signal is aborted; else an error whose cause is a
   * RegistryFailure.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
}

type Undici = typeof import("undici").default;

/** A dropped body is read up to this size and for this long, so that the connection can be used again. */
const DISCARD_BYTES = 64 * 1024;
const DISCARD_MS = 1_000;

export function createHttpClient({ tls: hostTls, timeouts, mayBePlain }: HttpClientOptions): HttpClient {
  const dispatchers = new Map<string, Dispatcher>();
  /** Origins that have answered. If a local one then refuses connections, it may be restarting. */
  const answered = new Set<string>();

  function dispatcherFor(undici: Undici, url: URL, isFirst: boolean): Dispatcher {
    // The client certificate is only for the host itself, not for hosts that it redirects to.
    const proxy = proxyFor(url, process.env);
    const key = `${isFirst ? "host" : "redirected"} ${proxy?.href ?? "direct"}`;
    const known = dispatchers.get(key);
    if (known !== undefined) return known;
    const made = createDispatcher(
      undici,
      isFirst ? hostTls : { ...hostTls, clientPairs: [] },
      timeouts,
      proxy,
    );
    dispatchers.set(key, made);
    return made;
  }

  async function request({ method, url, headers, body, signal, about }: HttpRequest): Promise<HttpResponse> {
    // Loaded at the first request: it is large, and most programs never ask a registry.
    // In a bundle, a CommonJS module has nothing but its default export.
    const { default: undici } = await import("undici");
    let at = url;
    let kept: Record<string, string> = { ...headers };
    for (let redirects = 0; ; redirects++) {
      const dispatcher = dispatcherFor(undici, at, at.origin === url.origin);
      const trace = traceRequest({ method, url: at, about, sentBytes: sizeOf(body, headers) });
      const answer = await undici
        .request(at, {
          dispatcher,
          method,
          headers: kept,
          body: (body ?? null) as never,
          signal: signal ?? null,
          headersTimeout: timeouts.headersMs,
          bodyTimeout: timeouts.stallMs,
        })
        .catch((reason: unknown) => {
          const mayComeBack = !isLoopback(at.host) || answered.has(at.origin);
          const error = toError(showUrl(at), reason, signal, mayComeBack);
          trace?.end({ reason: error });
          throw error;
        });
      answered.add(at.origin);
      trace?.answered(answer.statusCode, method);
      if (!isRedirect(answer.statusCode) || body !== undefined)
        return toResponse(answer, at, timeouts.stallMs, signal, trace);
      await discard(answer);
      trace?.end();
      if (redirects === MAX_REDIRECTS) {
        throw uselessAnswer(
          `${showUrl(url)} redirects more than ${MAX_REDIRECTS} times`,
          "failed-precondition",
        );
      }
      const location = answer.headers["location"];
      const to = redirectTarget(at, Array.isArray(location) ? location[0] : location, mayBePlain);
      kept = redirectHeaders(at, to, kept);
      at = to;
    }
  }

  return {
    request,
    async [Symbol.asyncDispose]() {
      const closing = [...dispatchers.values()].map((dispatcher) => dispatcher.destroy());
      dispatchers.clear();
      await Promise.all(closing);
    },
  };
}

function createDispatcher(
  { Agent, ProxyAgent }: Undici,
  { ca, clientPairs, skipVerify }: HttpTls,
  { connectMs }: HttpTimeouts,
  proxy: URL | undefined,
): Dispatcher {
  const common = {
    timeout: connectMs,
    ...(ca.length > 0 && { ca: [...defaultAuthorities(), ...ca] }),
  };
  const secure = {
    ...common,
    ...(clientPairs.length > 0 && {
      cert: clientPairs.map(({ cert }) => cert),
      key: clientPairs.map(({ key }) => key),
    }),
    rejectUnauthorized: !skipVerify,
  };
  if (proxy === undefined) return new Agent({ connect: secure });
  const { username, password } = proxy;
  const userInfo = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return new ProxyAgent({
    uri: proxy.href,
    requestTls: secure,
    proxyTls: common,
    // Plain http is forwarded, not tunnelled: many proxies allow tunnels only to port 443.
    proxyTunnel: false,
    ...(userInfo !== ":" && { token: `Basic ${Buffer.from(userInfo).toString("base64")}` }),
  });
}

/**
 * A list of authorities replaces Node's own list, so we add Node's own. In newer versions of Node it includes
 * NODE_EXTRA_CA_CERTS.
 */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: "default") => string[] };
  return getCACertificates?.("default") ?? tls.rootCertificates;
}

function toResponse(
  answer: Dispatcher.ResponseData,
  url: URL,
  stallMs: number,
  signal: AbortSignal | undefined,
  trace: RequestTrace | undefined,
): HttpResponse {
  const headerAll = (name: string): string[] => {
    const value = answer.headers[name.toLowerCase()];
    return value === undefined ? [] : Array.isArray(value) ? value : [value];
  };
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    const isFastEnough = createThroughputMonitor(stallMs);
    let askedMs = performance.now();
    try {
      for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
        if (!isFastEnough(chunk.byteLength, performance.now() - askedMs))
          throw new Error("too slow: less than 1 KiB a second");
        trace?.received(chunk.byteLength);
        yield chunk;
        askedMs = performance.now();
      }
    } catch (reason) {
      const error = toError(showUrl(url), reason, signal);
      trace?.end({ reason: error });
      throw error;
    } finally {
      trace?.end();
    }
  }
  const codings = parseCodings(headerAll("content-encoding"));
  const body = {
    [Symbol.asyncIterator]: () => decodeBody(showUrl(url), codings, { [Symbol.asyncIterator]: read }),
  };
  return {
    status: answer.statusCode,
    url,
    header: (name) => headerAll(name)[0],
    headerAll,
    codings,
    body,
    rawBody: { [Symbol.asyncIterator]: read },
    async text(maxBytes) {
      const chunks: Uint8Array[] = [];
      let left = maxBytes;
      for await (const chunk of body) {
        chunks.push(chunk.subarray(0, left));
        left -= chunk.byteLength;
        if (left <= 0) break;
      }
      return Buffer.concat(chunks).toString("utf8");
    },
    discard: () => discard(answer).finally(() => trace?.end()),
  };
}

async function discard({ body }: Dispatcher.ResponseData): Promise<void> {
  await body.dump({ limit: DISCARD_BYTES, signal: AbortSignal.timeout(DISCARD_MS) }).catch(() => undefined);
}

function sizeOf(body: HttpRequest["body"], headers: HttpRequest["headers"]): number {
  if (body === undefined) return 0;
  return typeof body === "string" ? Buffer.byteLength(body) : Number(headers["content-length"] ?? 0);
}

/** @param mayComeBack false if it is certain that nothing listens there. */
function toError(
  what: string,
  reason: unknown,
  signal: AbortSignal | undefined,
  mayComeBack = true,
): ContainerdError {
  if (reason instanceof ContainerdError) return reason;
  if (signal?.aborted === true) {
    return canceled(what, signal.reason);
  }
  return transportError(what, reason, mayComeBack);
}
