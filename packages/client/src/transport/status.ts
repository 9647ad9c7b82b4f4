import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Metadata, StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "@wfe-containerd/proto/google/rpc";
import { toHeaders } from "./metadata.js";

/** Converts a grpc-js status to Connect's error, with metadata and details. Both use gRPC's code numbers. */
export function toConnectError({ code, details, metadata }: StatusObject): ConnectError {
  const isKnown = code >= Code.Canceled && code <= Code.Unauthenticated;
  const error = createConnectError(details, isKnown ? (code as number) : Code.Unknown, metadata);
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (bytes instanceof Uint8Array) {
    try {
      error.details = fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => ({
        type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
        value,
      }));
    } catch {
      // Details are optional: if they cannot be read, the error itself must still be returned.
    }
  }
  return error;
}

/**
 * Does what ConnectError's constructor does, except that its headers are made when somebody looks at them.
 * Nearly nobody does. The first `Headers` of a process load Node's fetch, and many a `not-found` is no
 * failure: the first call for `alpine` looks for an image with this short name.
 */
function createConnectError(rawMessage: string, code: Code, metadata: Metadata): ConnectError {
  const label = `[${(Code[code] as string).replaceAll(/(?<=.)[A-Z]/g, "_$&").toLowerCase()}]`;
  const error = new Error(rawMessage === "" ? label : `${label} ${rawMessage}`);
  Object.setPrototypeOf(error, ConnectError.prototype);
  let headers: Headers | undefined;
  const lazy = {
    configurable: true,
    enumerable: true,
    get() {
      headers ??= toHeaders(metadata);
      return headers;
    },
  };
  const fields = { name: "ConnectError", rawMessage, code, details: [], cause: undefined };
  return Object.defineProperty(Object.assign(error, fields), "metadata", lazy) as unknown as ConnectError;
}
