import type { Channel, Metadata } from "@grpc/grpc-js";

/** A call in grpc-js's terms: bytes in, bytes out, one message at a time as it is asked for. */
export type Call = ReturnType<Channel["createCall"]>;
export type CallListener = Parameters<Call["start"]>[1];

/** Starts a call. The listener hears of its status exactly once, last. @throws ConnectError FailedPrecondition once closed. */
export type StartCall = (path: string, metadata: Metadata, listener: CallListener) => Call;
