import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

const serialized = new WeakMap<object, Buffer>();

/**
 * Sends these bytes in place of a message. This avoids copies of bulk data. The buffer can be reused after
 * the message was answered.
 */
export function serializeAs<T extends object>(message: T, bytes: Buffer): T {
  serialized.set(message, bytes);
  return message;
}

/**
 * Converts a message to bytes.
 *
 * @throws ConnectError Internal if the values do not match the types of the fields.
 */
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

/**
 * Converts bytes to a message. Its fields of type `bytes` are views of `bytes`, not copies.
 *
 * @throws ConnectError Internal if the bytes are not such a message.
 */
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
