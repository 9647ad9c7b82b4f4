import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "@wfe-containerd/proto/google/rpc";
import { toHeaders } from "./metadata.js";

/** Converts a grpc-js status to Connect's error, with metadata and details. Both use gRPC's code numbers. */
export function toConnectError({ code, details, metadata }: StatusObject): ConnectError {
  const isKnown = code >= Code.Canceled && code <= Code.Unauthenticated;
  const error = new ConnectError(details, isKnown ? (code as number) : Code.Unknown, toHeaders(metadata));
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
