import { Code, ConnectError } from "@connectrpc/connect";
import { Channel, type Metadata, connectivityState as State, status as Status } from "@grpc/grpc-js";
import type { Address } from "./address.js";
import type { Call, CallListener, StartCall } from "./channel-call.js";
import { keepAlive } from "./keep-alive.js";
import { createSockets, SocketCredentials } from "./socket.js";
import type { TlsContext } from "./tls.js";
import { CLOSED } from "./unreached.js";

/** One gRPC channel. It connects at the first call, and reconnects after the connection breaks. */
export interface Connection {
  readonly address: Address;
  readonly tls: TlsContext | undefined;
  readonly start: StartCall;
  /** Whether the last attempt to connect failed. Calls are then refused until a later attempt succeeds. */
  isFailing(): boolean;
  /** Resolves when {@link isFailing} is no longer true, or the signal is aborted. */
  reconnected(signal: AbortSignal): Promise<void>;
  /** How many times the connection was lost so far. */
  disconnects(): number;
  /** Ends all calls and the connection. After that, nothing here keeps the process running. */
  close(): Promise<void>;
  /** Closes its sockets at once, also one that is not connected yet. The channel connects again. */
  cut(): void;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly tls: TlsContext | undefined;
  /** How often a TCP connection is checked while calls wait on it, in milliseconds; 0 for never. */
  readonly keepAliveMs: number;
}

/**
 * containerd's own limit for messages (`defaults.DefaultMaxRecvMsgSize`). The default of grpc-js is 4 MiB.
 */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/**
 * How much the daemon may send before we confirm it. With HTTP/2's default of 64 KiB, the daemon would wait
 * for us after every few frames.
 */
const WINDOW_BYTES = 4 * 1024 * 1024;

export function createConnection({ address, tls, keepAliveMs }: ConnectionOptions): Connection {
  const sockets = createSockets();
  const active = new Set<Call>();
  const channel = new Channel(address.target, new SocketCredentials(address, tls, sockets), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc-node.flow_control_window": WINDOW_BYTES,
    // The path of a socket is not a valid authority.
    ...(address.isLocal && { "grpc.default_authority": address.host }),
    // Reconnect soon after the daemon is back. Longer waits would only help a server with many clients. With
    // TLS the waits are longer, because a handshake costs more.
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": address.isTls ? 1_000 : 200,
    "grpc.dns_min_time_between_resolutions_ms": 1_000,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
    "grpc.service_config_disable_resolution": 1,
  });
  let closed = false;

  function start(path: string, metadata: Metadata, listener: CallListener): Call {
    if (closed) throw new ConnectError("the client is closed", Code.FailedPrecondition);
    const call = channel.createCall(path, Number.POSITIVE_INFINITY, null, null, null);
    active.add(call);
    call.start(metadata, {
      onReceiveMetadata: (received) => listener.onReceiveMetadata(received),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveStatus(status) {
        active.delete(call);
        listener.onReceiveStatus(status);
      },
    });
    return call;
  }

  const isFailing = (): boolean => !closed && channel.getConnectivityState(true) === State.TRANSIENT_FAILURE;

  async function reconnected(signal: AbortSignal): Promise<void> {
    while (isFailing() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const settle = (): void => {
          // Node.js keeps a signal of `AbortSignal.any` for ever while it has a listener.
          signal.removeEventListener("abort", settle);
          resolve();
        };
        signal.addEventListener("abort", settle);
        channel.watchConnectivityState(State.TRANSIENT_FAILURE, Number.POSITIVE_INFINITY, settle);
      });
    }
  }

  const stopKeepAlive =
    address.isLocal || keepAliveMs <= 0
      ? undefined
      : keepAlive({ start, isBusy: () => active.size > 0, sockets, intervalMs: keepAliveMs });

  return {
    address,
    tls,
    start,
    cut: sockets.destroy,
    isFailing,
    reconnected,
    disconnects: () => sockets.closed,
    async close() {
      closed = true;
      stopKeepAlive?.();
      for (const call of active) call.cancelWithStatus(Status.CANCELLED, CLOSED);
      channel.close();
      // Gives the close time to be sent to the daemon, without waiting for an answer.
      await new Promise(setImmediate);
      sockets.destroy();
    },
  };
}
