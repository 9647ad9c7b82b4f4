import { type ChannelCredentials, Client as GrpcClient, credentials } from "@grpc/grpc-js";
import type { Address } from "../address.js";

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Opens nothing yet: grpc-js connects at the first call, and again after a cut. */
export function createChannel(address: Address): GrpcClient {
  return new GrpcClient(address.target, credentialsFor(address), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.default_authority": "localhost",
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A restarted daemon is found again at once: it is one daemon, and nobody else's back-off is spared by waiting.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
  });
}
function credentialsFor(_address: Address): ChannelCredentials { return credentials.createInsecure(); }
