import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "@wfe-containerd/proto/google/rpc";
import { toHeaders } from "./metadata.js";

/** A grpc-js status as Connect's error, with metadata and details. gRPC's code numbers are Connect's. */
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
      // Details are an extra: unreadable ones must not hide the error itself.
    }
  }
  return error;
}
