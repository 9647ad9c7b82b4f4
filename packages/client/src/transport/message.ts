import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

const serialized = new WeakMap<object, Buffer>();

/**
 * Sends these bytes for a message, which is then only a stand-in for them: for bulk data, of which each copy counts. They may be used for something
 * else once the message was answered.
 */
export function serializeAs<T extends object>(message: T, bytes: Buffer): T {
  serialized.set(message, bytes);
  return message;
}

/** @throws ConnectError Internal for a message that its fields' types do not allow. */
export function serialize<T extends DescMessage>(schema: T, message: MessageShape<T>): Buffer {
  const given = serialized.get(message);
  if (given !== undefined) return given;
  try {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    throw new ConnectError(
      `cannot serialize ${schema.typeName}: ${cause}`,
      Code.Internal,
      undefined,
      undefined,
      cause,
    );
  }
}

/** The message's bytes fields are views of `bytes`. @throws ConnectError Internal for what is no such message. */
export function deserialize<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new ConnectError(
      `cannot read ${schema.typeName}: ${cause}`,
      Code.Internal,
      undefined,
      undefined,
      cause,
    );
  }
}
