import type { Channel, Metadata } from "@grpc/grpc-js";

/** A call of grpc-js: bytes out, bytes in. Each message must be requested before it is received. */
export type Call = ReturnType<Channel["createCall"]>;
export type CallListener = Parameters<Call["start"]>[1];

/**
 * Starts a call. The listener gets the status exactly once, as the last event.
 *
 * @throws ConnectError FailedPrecondition if the connection is closed.
 */
export type StartCall = (path: string, metadata: Metadata, listener: CallListener) => Call;
