import type { ErrorKind } from "../error.js";

/** One call of containerd's gRPC API. Published on `wfe-containerd.rpc`. */
export interface RpcDiagnostic {
  /** The full name of the service: `containerd.services.tasks.v1.Tasks`. */
  readonly service: string;
  /** `Create`. */
  readonly method: string;
  /** Whether messages are streamed. It ends with the last message, or when its reader stops. */
  readonly isStream: boolean;
  /** The client's address: `unix:///run/containerd/containerd.sock`. */
  readonly address: string;
  readonly transport: "unix" | "tcp" | "tls";
  readonly namespace: string;
  /** 1; more for a call that is repeated after an outage. */
  readonly attempt: number;
  /** From start to end, in milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** The gRPC status code. Set at the end; 0 if it succeeded. */
  code?: number | undefined;
  /** Set at the end, if it failed. */
  errorKind?: ErrorKind | undefined;
}

/** One HTTP request to a registry. Published on `wfe-containerd.registry-request`. */
export interface RegistryRequestDiagnostic {
  readonly method: string;
  /** The host that is asked, with its port: `registry-1.docker.io`. */
  readonly host: string;
  readonly scheme: "http" | "https";
  /** The repository: `library/alpine`. Undefined for a token service and a login. */
  readonly repository?: string | undefined;
  /** What is asked for: `manifests`, `blobs`, `uploads`, `tokens`, or another part of the API. */
  readonly resource: string;
  /** The answer's status. Set at the end, if an answer came. */
  status?: number | undefined;
  /** Bytes of the request's body. */
  readonly sentBytes: number;
  /** Bytes of the answer's body that were read. Complete at the end. */
  receivedBytes: number;
  /** Until the end of the answer's body, in milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if no answer came or it broke off. A status such as 404 is an answer. */
  errorKind?: ErrorKind | undefined;
}

/** One pull or push of an image that asks a registry. Published on `wfe-containerd.transfer`. */
export interface TransferDiagnostic {
  readonly operation: "pull" | "push";
  /** The full name of the image: `docker.io/library/alpine:3.20`. */
  readonly image: string;
  readonly address: string;
  readonly namespace: string;
  /** Which process asks the registry. */
  readonly via: "client" | "daemon";
  /** The digest of the manifest or index. Set at the end, if it succeeded. */
  digest?: string | undefined;
  /** In milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if it failed. */
  errorKind?: ErrorKind | undefined;
}

/**
 * The time for which an outage of `createOutage` waits for its daemon. Published on `wfe-containerd.outage`.
 * Each step has an outage of its own.
 */
export interface OutageDiagnostic {
  readonly address: string;
  /** Why the daemon is taken for away. */
  readonly reason: string;
  /** How long it was away, in milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if the client was closed before the daemon came back. */
  errorKind?: ErrorKind | undefined;
}

/** The wait before something is tried again. Published on `wfe-containerd.retry`. */
export interface RetryDiagnostic {
  readonly of: "rpc" | "registry-request" | "step";
  /** The service and method, `tasks.create`; the digest of a blob; the name of an image or of a step. */
  readonly what: string;
  /** The number of the next attempt: 2 or more. */
  readonly attempt: number;
  /** How long it waits at least, in milliseconds. */
  readonly delayMs: number;
  /** Why the last attempt failed. */
  readonly reason: string;
  /** How long it waited, in milliseconds. Set at the end. */
  durationMs?: number | undefined;
  /** Set at the end, if there is no next attempt. */
  errorKind?: ErrorKind | undefined;
}
