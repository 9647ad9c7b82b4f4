import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import { traceStream, traceUnary } from "../diagnostics/rpc.js";
import type { Address } from "./address.js";
import type { Connection } from "./connection.js";
import { normalizeTimeout, toTimeoutHeader, withDeadline } from "./deadline.js";
import { runStreaming, withMessages } from "./run-streaming.js";
import { runUnary } from "./run-unary.js";
import { callStreaming } from "./stream.js";
import { callUnary } from "./unary.js";

export interface TransportOptions {
  readonly connection: Connection;
  /** Headers for every call. A call's own headers win. */
  readonly headers: Readonly<Record<string, string>>;
  /** Deadline for unary calls without their own, in milliseconds; 0 for none. */
  readonly timeoutMs: number;
  readonly interceptors: readonly Interceptor[];
}

/**
 * Creates a Connect transport over a gRPC connection. Streams have no default deadline, because waits and
 * subscriptions can last long. A `timeoutMs` of 0 means no deadline.
 */
export function createGrpcTransport(options: TransportOptions): Transport {
  const { connection } = options;
  const address = connection.address.text;
  const interceptors = [...options.interceptors];
  const place = {
    address,
    transport: transportOf(connection.address),
    namespace: options.headers["containerd-namespace"] ?? "",
  };

  function prepare<M extends DescMethod>(
    method: M,
    timeoutMs: number | undefined,
    given: ConstructorParameters<typeof Headers>[0],
    contextValues: ContextValues | undefined,
  ) {
    const url = createMethodUrl(connection.address.url, method);
    const isSeen = given !== undefined || interceptors.length > 0;
    const header = isSeen ? merge(given, options.headers) : unseen(options.headers);
    if (timeoutMs !== undefined) header.set("grpc-timeout", toTimeoutHeader(timeoutMs));
    return {
      path: `/${method.parent.typeName}/${method.name}`,
      deadline: { timeoutMs, startedAt: performance.now(), address },
      request: {
        service: method.parent,
        method,
        requestMethod: "POST",
        url,
        header,
        contextValues: contextValues ?? createContextValues(),
      },
    };
  }

  return {
    async unary(method, signal, timeout, given, message, contextValues) {
      const timeoutMs = normalizeTimeout(timeout ?? options.timeoutMs);
      const { path, deadline, request } = prepare(method, timeoutMs, given, contextValues);
      const req = { ...request, stream: false as const, message };
      return traceUnary(method, place, contextValues, () =>
        withDeadline(
          () =>
            runUnary({
              interceptors,
              signal,
              timeoutMs,
              req,
              next: (request) => callUnary(connection, path, request),
            }),
          deadline,
        ),
      );
    },

    async stream(method, signal, timeout, given, message, contextValues) {
      const timeoutMs = normalizeTimeout(timeout);
      const { path, deadline, request } = prepare(method, timeoutMs, given, contextValues);
      const req = { ...request, stream: true as const, message };
      return traceStream(method, place, contextValues, signal, async () => {
        const response = await withDeadline(
          () =>
            runStreaming({
              interceptors,
              signal,
              timeoutMs,
              req,
              next: (request) => callStreaming(connection, path, request),
            }),
          deadline,
        );
        const messages = response.message[Symbol.asyncIterator]();
        return withMessages(response, () => withDeadline(() => messages.next(), deadline));
      });
    },
  };
}

function transportOf({ isLocal, isTls }: Address): "unix" | "tcp" | "tls" {
  if (isLocal) return "unix";
  return isTls ? "tls" : "tcp";
}

/** A call's own headers win. */
function merge(
  given: ConstructorParameters<typeof Headers>[0],
  others: Readonly<Record<string, string>>,
): Headers {
  const header = new Headers(given);
  for (const [name, value] of Object.entries(others)) if (!header.has(name)) header.set(name, value);
  return header;
}

/**
 * Headers that only `toMetadata` looks at. Real ones are a part of Node's fetch, and to load that takes as
 * long as to start Node.
 */
function unseen(headers: Readonly<Record<string, string>>): Headers {
  return new Map(Object.entries(headers)) as unknown as Headers;
}
