import {
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  createContextValues,
  type Interceptor,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import type {
  ClientDuplexStream,
  CallOptions as GrpcCallOptions,
  Client as GrpcClient,
  StatusObject,
} from "@grpc/grpc-js";
import type { Address } from "../address.js";
import { toHeaders, toMetadata } from "./metadata.js";
import type { OpenCalls } from "./open-calls.js";
import { toConnectError } from "./status.js";
import { explainUnavailable } from "./unavailable.js";

export interface TransportOptions {
  readonly address: Address;
  readonly channel: GrpcClient;
  readonly openCalls: OpenCalls;
  /** Sent with every call, unless the call sets them itself. */
  readonly headers: Readonly<Record<string, string>>;
  /** Deadline of unary calls that set none, in milliseconds; 0 for none. */
  readonly timeoutMs: number;
  readonly interceptors: readonly Interceptor[];
}

/** A Connect transport over a grpc-js channel. Streams have no default deadline: waits and subscriptions last as long as they last. */
export function createGrpcTransport({
  address,
  channel,
  openCalls,
  headers,
  timeoutMs: defaultTimeoutMs,
  interceptors,
}: TransportOptions): Transport {
  function requestHeader(given: ConstructorParameters<typeof Headers>[0]): Headers {
    const header = new Headers(given);
    for (const [name, value] of Object.entries(headers)) if (!header.has(name)) header.set(name, value);
    return header;
  }

  return {
    unary<I extends DescMessage, O extends DescMessage>(
      ...[method, signal, timeoutMs, header, message, contextValues]: Parameters<Transport["unary"]>
    ) {
      const deadlineMs = timeoutMs ?? defaultTimeoutMs;
      return runUnaryCall<I, O>({
        interceptors: [...interceptors],
        signal,
        timeoutMs: deadlineMs > 0 ? deadlineMs : undefined,
        req: {
          stream: false,
          service: method.parent,
          method: method as DescMethodUnary<I, O>,
          requestMethod: "POST",
          url: path(method),
          header: requestHeader(header),
          contextValues: contextValues ?? createContextValues(),
          message: message as never,
        },
        next: async (req) => {
          return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
            let head = new Headers();
            let trailer = new Headers();
            const call = openCalls.open(() =>
              channel.makeUnaryRequest(
                path(method),
                (value: MessageShape<I>) => Buffer.from(toBinary(method.input as I, value)),
                (bytes: Buffer) => fromBinary(method.output as O, bytes),
                req.message,
                toMetadata(req.header),
                deadline(deadlineMs),
                (error, value) => {
                  req.signal.removeEventListener("abort", cancel);
                  openCalls.done(call);
                  if (error !== null) {
                    void explainUnavailable(toConnectError(error), address).then(reject);
                    return;
                  }
                  // Trailers come with the status, just after the message.
                  setImmediate(() =>
                    resolve({
                      stream: false,
                      service: method.parent,
                      method: method as DescMethodUnary<I, O>,
                      header: head,
                      trailer,
                      message: value as MessageShape<O>,
                    }),
                  );
                },
              ),
            );
            const cancel = (): void => call.cancel();
            call.on("metadata", (metadata) => {
              head = toHeaders(metadata);
            });
            call.on("status", (status) => {
              trailer = toHeaders(status.metadata);
            });
            if (req.signal.aborted) cancel();
            else req.signal.addEventListener("abort", cancel, { once: true });
          });
        },
      }) as never;
    },

    stream<I extends DescMessage, O extends DescMessage>(
      ...[method, signal, timeoutMs, header, input, contextValues]: Parameters<Transport["stream"]>
    ) {
      return runStreamingCall<I, O>({
        interceptors: [...interceptors],
        signal,
        // Connect takes 0 for a deadline that has passed; here it stands for none.
        timeoutMs: timeoutMs === 0 ? undefined : timeoutMs,
        req: {
          stream: true,
          service: method.parent,
          method: method as DescMethodStreaming<I, O>,
          requestMethod: "POST",
          url: path(method),
          header: requestHeader(header),
          contextValues: contextValues ?? createContextValues(),
          message: input as never,
        },
        next: async (req) => {
          const call = openCalls.open(() =>
            channel.makeBidiStreamRequest(
              path(method),
              (value: MessageShape<I>) => Buffer.from(toBinary(method.input as I, value)),
              (bytes: Buffer) => fromBinary(method.output as O, bytes),
              toMetadata(req.header),
              deadline(timeoutMs ?? 0),
            ),
          );
          const cancel = (): void => call.cancel();
          if (req.signal.aborted) cancel();
          else req.signal.addEventListener("abort", cancel, { once: true });
          // A response of trailers alone has no headers: its status settles the matter.
          const header = new Promise<Headers>((resolve) => {
            call.once("metadata", (metadata) => resolve(toHeaders(metadata)));
            call.once("status", () => resolve(new Headers()));
          });
          const trailer = new Headers();
          const status = new Promise<StatusObject>((resolve) => call.once("status", resolve));
          const failed = status.then(async (end) => {
            toHeaders(end.metadata).forEach((value, name) => void trailer.append(name, value));
            if (end.code !== 0) throw await explainUnavailable(toConnectError(end), address);
          });
          failed.catch(() => undefined);
          // The status says the same.
          call.on("error", () => undefined);
          call.once("close", () => {
            req.signal.removeEventListener("abort", cancel);
            openCalls.done(call);
          });
          // A stream that nobody reads does not report its end either.
          call.read(0);
          void send(call, req.message as AsyncIterable<MessageShape<I>>);
          return {
            stream: true,
            service: method.parent,
            method: method as DescMethodStreaming<I, O>,
            header: await Promise.race([header, failed.then(() => header)]),
            trailer,
            message: receive<O, MessageShape<I>>(call, failed),
          } as StreamResponse<I, O>;
        },
      }) as never;
    },
  };
}

async function send<T, U>(call: ClientDuplexStream<T, U>, messages: AsyncIterable<T>): Promise<void> {
  try {
    for await (const message of messages) {
      if (call.destroyed) return;
      if (!call.write(message))
        await new Promise<void>((resolve) => {
          const go = (): void => {
            call.off("drain", go);
            call.off("close", go);
            call.off("error", go);
            resolve();
          };
          call.on("drain", go);
          call.on("close", go);
          call.on("error", go);
        });
    }
    call.end();
  } catch {
    call.cancel();
  }
}

/** @param ended rejects when the stream's status is an error: a stream that was cut off may look like one that ended well. */
async function* receive<O extends DescMessage, T = unknown>(
  call: ClientDuplexStream<T, MessageShape<O>>,
  ended: Promise<void>,
): AsyncGenerator<MessageShape<O>> {
  try {
    for await (const message of call) yield message as MessageShape<O>;
  } catch {
    // A broken stream has a status too, which says why.
  } finally {
    call.cancel();
  }
  await ended;
}

function path(method: { parent: { typeName: string }; name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function deadline(timeoutMs: number): GrpcCallOptions {
  return timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
}
