import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type BytesValueSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
} from "@grpc/grpc-js";
import { parseAddress } from "../src/transport/address.js";
import { type Connection, createConnection } from "../src/transport/connection.js";
import { createGrpcTransport } from "../src/transport/transport.js";

/** A message with one field of bytes: protobuf's well-known type. */
type Bytes = typeof BytesValueSchema;

/**
 * A service with one method of each kind, made at run time. containerd has no method that streams only
 * requests.
 */
export const METHODS = createMethods();

function createMethods() {
  const name = (text: string) => ({ inputType: ".test.Bytes", outputType: ".test.Bytes", name: text });
  const file = create(FileDescriptorProtoSchema, {
    name: "test.proto",
    package: "test",
    syntax: "proto3",
    messageType: [
      {
        name: "Bytes",
        field: [
          {
            name: "value",
            number: 1,
            type: FieldDescriptorProto_Type.BYTES,
            label: FieldDescriptorProto_Label.OPTIONAL,
            jsonName: "value",
          },
        ],
      },
    ],
    service: [
      {
        name: "Kinds",
        method: [
          name("Unary"),
          { ...name("Download"), serverStreaming: true },
          { ...name("Upload"), clientStreaming: true },
          { ...name("Exchange"), clientStreaming: true, serverStreaming: true },
        ],
      },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const methods = registry.getService("test.Kinds")?.method ?? {};
  return {
    unary: methods["unary"] as unknown as DescMethodUnary<Bytes, Bytes>,
    download: methods["download"] as unknown as DescMethodStreaming<Bytes, Bytes>,
    upload: methods["upload"] as unknown as DescMethodStreaming<Bytes, Bytes>,
    exchange: methods["exchange"] as unknown as DescMethodStreaming<Bytes, Bytes>,
  };
}

export type ServerCall = ServerDuplexStream<Buffer, Buffer>;

export interface TestServer extends AsyncDisposable {
  readonly socketPath: string;
  /** How often the server was asked for its version. */
  readonly versionCalls: number;
  readonly connection: Connection;
  readonly transport: Transport;
  createTransport(options: {
    timeoutMs?: number;
    headers?: Record<string, string>;
    interceptors?: Interceptor[];
  }): Transport;
  /** Ends the server, even in the middle of a call. */
  kill(): void;
  /** Listens on the same socket again. */
  listen(): Promise<void>;
}

/**
 * A gRPC server that answers every kind of call with one function. The function receives and sends only the
 * messages' values.
 *
 * @param onVersion called before the server answers a request for its version.
 */
export async function startServer(
  answer: (call: ServerCall) => void,
  onVersion: () => void = () => undefined,
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), "grpc-"));
  const socketPath = join(directory, "grpc.sock");
  let server: Server;

  async function listen(): Promise<void> {
    server = createServer(answer);
    server.addService({ version: VERSION }, { version: countVersion });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix://${socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  let versionCalls = 0;
  function countVersion(_call: unknown, respond: (error: null, value: Buffer) => void): void {
    versionCalls++;
    onVersion();
    respond(null, Buffer.alloc(0));
  }

  await listen();
  const connection = createConnection({ address: parseAddress(socketPath), tls: undefined, keepAliveMs: 0 });
  const createTransport: TestServer["createTransport"] = ({
    timeoutMs = 0,
    headers = {},
    interceptors = [],
  }) => createGrpcTransport({ connection, headers, timeoutMs, interceptors });
  return {
    socketPath,
    get versionCalls() {
      return versionCalls;
    },
    connection,
    transport: createTransport({}),
    createTransport,
    kill: () => server.forceShutdown(),
    listen,
    async [Symbol.asyncDispose]() {
      await connection.close();
      server.forceShutdown();
      await rm(directory, { recursive: true });
    },
  };
}

const VERSION = {
  path: "/containerd.services.version.v1.Version/Version",
  requestStream: false,
  responseStream: false,
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};

function createServer(answer: (call: ServerCall) => void): Server {
  const size = 15 * 1024 * 1024 + 1024;
  const server = new Server({
    "grpc.max_receive_message_length": size,
    "grpc.max_send_message_length": -1,
  });
  const { parent } = METHODS.unary;
  server.addService(
    Object.fromEntries(
      parent.methods.map((method) => [
        method.localName,
        {
          path: `/${parent.typeName}/${method.name}`,
          // The server treats every method as streaming both ways. So it can send two answers to a unary
          // call.
          requestStream: true,
          responseStream: true,
          requestSerialize: encode,
          requestDeserialize: decode,
          responseSerialize: encode,
          responseDeserialize: decode,
        },
      ]),
    ),
    Object.fromEntries(parent.methods.map((method) => [method.localName, answer])),
  );
  return server;
}

/** Packs a value, because the test server handles only values. */
function encode(value: Buffer): Buffer {
  return Buffer.from(toBinary(METHODS.unary.output, create(METHODS.unary.output, { value })));
}

function decode(bytes: Buffer): Buffer {
  return Buffer.from(fromBinary(METHODS.unary.input, bytes).value);
}

/** Ends a call with an error. */
export function fail(call: ServerCall, code: number, details: string, metadata?: Metadata): void {
  const error: Partial<ServerErrorResponse> = { code, details, ...(metadata && { metadata }) };
  call.emit("error", error);
}

/** A request with these bytes. */
export function bytes(text: string): { value: Uint8Array } {
  return { value: Buffer.from(text) };
}

export async function* stream<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
}

/** The values of a stream's messages, as text. */
export async function collect(messages: AsyncIterable<{ value: Uint8Array }>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { value } of messages) texts.push(Buffer.from(value).toString());
  return texts;
}

/** The ConnectError that a call ends with. */
export async function failure(promise: Promise<unknown>): Promise<ConnectError> {
  const reason: unknown = await promise.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
  if (reason instanceof ConnectError) return reason;
  throw new TypeError(`no ConnectError: ${reason}`);
}
