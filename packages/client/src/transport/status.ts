import { fromBinary } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import type { ServiceError, StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "@wfe-containerd/proto/google/rpc";
import { toHeaders } from "./metadata.js";

/** A grpc-js status as Connect's error, with metadata and details. gRPC's code numbers are Connect's. */
export function toConnectError(
  status: Pick<StatusObject, "code" | "details" | "metadata"> | ServiceError,
): ConnectError {
  const error = new ConnectError(
    status.details,
    status.code as number as Code,
    toHeaders(status.metadata),
    undefined,
    status,
  );
  const [details] = status.metadata.get("grpc-status-details-bin");
  if (details instanceof Uint8Array) {
    try {
      error.details = fromBinary(StatusSchema, details).details.map(({ typeUrl, value }) => ({
        type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
        value,
      }));
    } catch {
      // Details are an extra: unreadable ones must not hide the error itself.
    }
  }
  return error;
}
