import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { type Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import type { Connection } from "./connection.js";
import { deserialize, serialize } from "./message.js";
import { toHeaders, toMetadata } from "./metadata.js";
import { awaitReconnect } from "./reconnect.js";
import { explainStatus } from "./unavailable.js";

/** Makes a unary call: one message out, one message in. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  connection: Connection,
  path: string,
  { service, method, header: requestHeader, message, signal }: UnaryRequest<I, O>,
): Promise<UnaryResponse<I, O>> {
  await awaitReconnect(connection, signal);
  // Check after the last await: from here until the listener is added, nothing else runs that could abort.
  signal.throwIfAborted();
  const request = serialize(method.input, message as MessageShape<I>);
  let header: Metadata | undefined;
  const received: Buffer[] = [];
  const status = await new Promise<StatusObject>((resolve) => {
    const call = connection.start(path, toMetadata(requestHeader), {
      onReceiveMetadata(metadata) {
        header = metadata;
      },
      onReceiveMessage(bytes: Buffer) {
        if (received.push(bytes) > 1) call.cancelWithStatus(Status.UNIMPLEMENTED, "more than one response");
        // Request once more: otherwise grpc-js does not give the status.
        else call.startRead();
      },
      onReceiveStatus(received) {
        signal.removeEventListener("abort", cancel);
        resolve(received);
      },
    });
    const cancel = (): void => call.cancelWithStatus(Status.CANCELLED, "canceled");
    signal.addEventListener("abort", cancel, { once: true });
    call.sendMessageWithContext({}, request);
    call.halfClose();
    call.startRead();
  });
  if (status.code !== Status.OK) throw await explainStatus(status, connection, signal);
  const [bytes] = received;
  if (bytes === undefined) {
    throw new ConnectError("the daemon gave no response", Code.Unimplemented, toHeaders(status.metadata));
  }
  let ownHeader: Headers | undefined;
  let trailer: Headers | undefined;
  return {
    stream: false,
    service,
    method: method as DescMethodUnary<I, O>,
    message: deserialize(method.output, bytes) as MessageShape<O>,
    // Nearly nobody looks at these, and they take as long to make as the message.
    get header() {
      ownHeader ??= header === undefined ? new Headers() : toHeaders(header);
      return ownHeader;
    },
    get trailer() {
      trailer ??= toHeaders(status.metadata);
      return trailer;
    },
  };
}
