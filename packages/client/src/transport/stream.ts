import type { DescMessage, DescMethodStreaming, MessageShape } from "@bufbuild/protobuf";
import { ConnectError, type StreamRequest, type StreamResponse } from "@connectrpc/connect";
import { type Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { createDeferred } from "../concurrency/deferred.js";
import type { Call } from "./channel-call.js";
import type { Connection } from "./connection.js";
import { deserialize, serialize } from "./message.js";
import { toHeaders, toMetadata } from "./metadata.js";
import { createReceiveBuffer } from "./receive-buffer.js";
import { awaitReconnect } from "./reconnect.js";
import { explainStatus } from "./unavailable.js";

/** How much of a stream is buffered for a slow reader, in addition to HTTP/2's own window. */
const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * Makes a streaming call, with any number of messages in both directions. Resolves when the daemon's headers
 * arrive, which may be together with the first message.
 */
export async function callStreaming<I extends DescMessage, O extends DescMessage>(
  connection: Connection,
  path: string,
  { service, method, header: requestHeader, message: requests, signal }: StreamRequest<I, O>,
): Promise<StreamResponse<I, O>> {
  await awaitReconnect(connection, signal);
  // Check after the last await: from here until the listener is added, nothing else runs that could abort.
  signal.throwIfAborted();
  /** Why we cancelled the call. It says more than the resulting status. */
  let failure: { reason: unknown } | undefined;
  const { call, received, header, ended, isOver } = open(connection, path, requestHeader);
  const trailer = createTrailer();

  const cancel = (): void => {
    received.clear();
    if (isOver()) return;
    call.cancelWithStatus(Status.CANCELLED, "canceled");
  };
  signal.addEventListener("abort", cancel, { once: true });
  const status = ended.then(async (final) => {
    signal.removeEventListener("abort", cancel);
    trailer.end(final.metadata);
    if (failure !== undefined) throw failure.reason;
    if (final.code !== Status.OK) throw await explainStatus(final, connection, signal);
  });
  // It is awaited later, or never if the reader stops early.
  status.catch(() => undefined);

  const giveUp = (reason: unknown): void => {
    failure ??= { reason };
    cancel();
  };
  const outgoing = requests as AsyncIterable<MessageShape<I>>;
  void send({ call, ended, isOver }, method.input, outgoing).catch(giveUp);

  async function* receive(): AsyncGenerator<MessageShape<O>> {
    try {
      for (;;) {
        const next = await received.next();
        if (!Buffer.isBuffer(next)) break;
        yield deserialize(method.output, next) as MessageShape<O>;
      }
    } catch (reason) {
      giveUp(reason);
    } finally {
      // A reader that stops early needs no more messages.
      cancel();
    }
    await status;
  }

  // A trailers-only response has no headers; only its status arrives.
  const metadata = await Promise.race([header, status]);
  let ownHeader: Headers | undefined;
  return {
    stream: true,
    service,
    method: method as DescMethodStreaming<I, O>,
    get header() {
      ownHeader ??= metadata === undefined ? new Headers() : toHeaders(metadata);
      return ownHeader;
    },
    get trailer() {
      return trailer.headers;
    },
    message: receive(),
  };
}

/** Headers that are empty until the call has ended. They are made only when somebody looks at them. */
function createTrailer() {
  let headers: Headers | undefined;
  let metadata: Metadata | undefined;
  function fill(): void {
    if (headers === undefined || metadata === undefined) return;
    for (const [name, value] of toHeaders(metadata)) headers.append(name, value);
  }
  return {
    end(received: Metadata) {
      metadata = received;
      fill();
    },
    get headers() {
      if (headers === undefined) {
        headers = new Headers();
        fill();
      }
      return headers;
    },
  };
}

function open(connection: Connection, path: string, requestHeader: Headers) {
  let isOver = false;
  const header = createDeferred<Metadata>();
  const ended = createDeferred<StatusObject>();
  const call = connection.start(path, toMetadata(requestHeader), {
    onReceiveMetadata: (metadata) => header.resolve(metadata),
    onReceiveMessage: (bytes: Buffer) => received.push(bytes),
    onReceiveStatus(status) {
      isOver = true;
      received.end(status);
      ended.resolve(status);
    },
  });
  const received = createReceiveBuffer(READ_AHEAD_BYTES, () => call.startRead());
  return { call, received, header: header.promise, ended: ended.promise, isOver: () => isOver };
}

interface Outlet {
  readonly call: Call;
  readonly ended: Promise<unknown>;
  readonly isOver: () => boolean;
}

/** Sends each message after the previous one was written, and stops when the call has ended. */
async function send<I extends DescMessage>(
  { call, ended, isOver }: Outlet,
  schema: I,
  messages: AsyncIterable<MessageShape<I>>,
): Promise<void> {
  let goOn: (() => void) | undefined;
  // grpc-js may not call the callback if the call has ended.
  void ended.then(() => goOn?.());
  try {
    for await (const message of messages) {
      if (isOver()) return;
      const bytes = serialize(schema, message);
      await new Promise<void>((resolve) => {
        goOn = resolve;
        call.sendMessageWithContext({ callback: () => resolve() }, bytes);
      });
    }
  } catch (reason) {
    throw ConnectError.from(reason);
  }
  if (!isOver()) call.halfClose();
}
