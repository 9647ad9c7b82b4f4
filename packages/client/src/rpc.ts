import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

// Connect's types of the same names, as far as this package shows them. Connect's own declarations need the
// DOM's `HeadersInit`, which a program for Node.js does not have, and which @types/node does not declare.
// test-infra/pack checks that both can be used in place of one another.

/** Headers of a call, as an object, as pairs or as `Headers`. */
export type RpcHeaders = [string, string][] | Record<string, string> | Headers;

/** A key of {@link ContextValues}: Connect's `createContextKey` makes it. */
export interface ContextKey<T> {
  id: symbol;
  defaultValue: T;
}

/** Values that the caller of an RPC gives its interceptors: Connect's `createContextValues` makes them. */
export interface ContextValues {
  get<T>(key: ContextKey<T>): T;
  set<T>(key: ContextKey<T>, value: T): this;
  delete(key: ContextKey<unknown>): this;
}

/** What each request has. */
export interface RpcRequestBase {
  readonly service: DescService;
  readonly requestMethod: string;
  readonly url: string;
  readonly signal: AbortSignal;
  /** An interceptor may change them. */
  readonly header: Headers;
  readonly contextValues: ContextValues;
}

/** What each response has. */
export interface RpcResponseBase {
  readonly service: DescService;
  readonly header: Headers;
  /** Complete once the messages have been read. */
  readonly trailer: Headers;
}

/** A request with one message. */
export interface UnaryRequest<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage>
  extends RpcRequestBase {
  readonly stream: false;
  readonly message: MessageShape<I>;
  readonly method: DescMethodUnary<I, O>;
}

/** A response with one message. */
export interface UnaryResponse<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage>
  extends RpcResponseBase {
  readonly stream: false;
  readonly message: MessageShape<O>;
  readonly method: DescMethodUnary<I, O>;
}

/** A request of a method that streams. */
export interface StreamRequest<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage>
  extends RpcRequestBase {
  readonly stream: true;
  readonly message: AsyncIterable<MessageShape<I>>;
  readonly method: DescMethodStreaming<I, O>;
}

/** A response of a method that streams. */
export interface StreamResponse<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage>
  extends RpcResponseBase {
  readonly stream: true;
  readonly message: AsyncIterable<MessageShape<O>>;
  readonly method: DescMethodStreaming<I, O>;
}

/** Sends a request. */
export type RpcFunction = (request: UnaryRequest | StreamRequest) => Promise<UnaryResponse | StreamResponse>;

/**
 * Sees every RPC, and may change it. It gets what sends the request, and returns a function that does the
 * same and more.
 */
export type Interceptor = (next: RpcFunction) => RpcFunction;

/** What service clients send their RPCs through. */
export interface Transport {
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: RpcHeaders | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>>;
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: RpcHeaders | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>>;
}

/** Options of an RPC of a {@link ServiceClient}. */
export interface RpcOptions {
  /** Deadline in milliseconds; 0: no deadline. */
  readonly timeoutMs?: number | undefined;
  readonly headers?: RpcHeaders | undefined;
  readonly signal?: AbortSignal | undefined;
  onHeader?: ((headers: Headers) => void) | undefined;
  onTrailer?: ((trailers: Headers) => void) | undefined;
  readonly contextValues?: ContextValues | undefined;
}

/** A typed client of a gRPC service: a function for each of its methods. */
export type ServiceClient<Service extends DescService> = {
  [Name in keyof Service["method"]]: Service["method"][Name] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: RpcOptions) => Promise<MessageShape<O>>
    : Service["method"][Name] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: RpcOptions) => AsyncIterable<MessageShape<O>>
      : Service["method"][Name] extends DescMethodClientStreaming<infer I, infer O>
        ? (request: AsyncIterable<MessageInitShape<I>>, options?: RpcOptions) => Promise<MessageShape<O>>
        : Service["method"][Name] extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              request: AsyncIterable<MessageInitShape<I>>,
              options?: RpcOptions,
            ) => AsyncIterable<MessageShape<O>>
          : never;
};
