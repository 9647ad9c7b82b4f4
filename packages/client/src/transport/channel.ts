import { type ChannelCredentials, credentials, Client as GrpcClient } from "@grpc/grpc-js";
import type { Address } from "../address.js";
import { ContainerdError } from "../error.js";

/** Who we trust, and who we are: contents of PEM files. */
export interface TlsOptions {
  /** Certificates of the authorities that may have signed the daemon's. Default: those that Node trusts. */
  readonly ca?: string | Uint8Array | undefined;
  /** Our certificate, for a daemon that asks for one; with `key`. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** The name in the daemon's certificate, where it is not the host in the address. */
  readonly serverName?: string | undefined;
}

/** What containerd itself takes and sends at most (`defaults.DefaultMaxRecvMsgSize`); grpc-js would stop at 4 MiB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Opens nothing yet: grpc-js connects at the first call, and again after a cut. */
export function createChannel(address: Address, tls: TlsOptions | undefined): GrpcClient {
  return new GrpcClient(address.target, createCredentials(address, tls), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    // For a socket's path would be no valid authority.
    ...(address.isLocal && { "grpc.default_authority": "localhost" }),
    ...(tls?.serverName !== undefined && { "grpc.ssl_target_name_override": tls.serverName }),
    // containerd ends a connection that pings more often than every five minutes while nothing else goes over it (gRPC-Go's default
    // policy), and a socket on this machine tells of its end by itself.
    ...(!address.isLocal && { "grpc.keepalive_time_ms": 310_000, "grpc.keepalive_timeout_ms": 10_000 }),
    // A daemon that comes back is found at once: it is one daemon, and no crowd that waiting would spare.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
  });
}

function createCredentials(address: Address, tls: TlsOptions | undefined): ChannelCredentials {
  if (!address.isTls) {
    if (tls === undefined) return credentials.createInsecure();
    throw new ContainerdError(
      `tls: it is given for ${address.text}, which is plain; allowed: only with https://`,
      { kind: "invalid-argument" },
    );
  }
  const { ca, cert, key } = tls ?? {};
  if ((cert === undefined) !== (key === undefined)) {
    throw new ContainerdError(
      `tls: ${cert === undefined ? "key" : "cert"} is given alone; allowed: both cert and key, or neither`,
      { kind: "invalid-argument" },
    );
  }
  try {
    return credentials.createSsl(toBuffer(ca), toBuffer(key), toBuffer(cert));
  } catch (cause) {
    throw new ContainerdError(
      "tls: what is given are no PEM certificates, or cert and key do not belong together; allowed: PEM",
      { kind: "invalid-argument", cause },
    );
  }
}

function toBuffer(pem: string | Uint8Array | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
