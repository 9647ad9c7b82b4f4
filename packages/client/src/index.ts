// The connection to a daemon, and the errors of all calls.

export type { CallOptions } from "./call.js";
export { type Client, type ClientOptions, type ClientScope, createClient } from "./connect.js";
export { ContainerdError, type ContainerdErrorOptions, type ErrorKind, isContainerdError } from "./error.js";
export type { TlsOptions } from "./transport/tls.js";

// Images on the daemon: records, import and export, their files.

export type { ImportProgress } from "./image/archive.js";
export type { ExportOptions } from "./image/export.js";
export type { ReadFilesOptions } from "./image/file.js";
export type { ImportOptions } from "./image/import.js";
export type { PruneOptions } from "./image/prune.js";
export type { Image } from "./image/record.js";
export type { ResolvedImage } from "./image/resolve.js";
export type { ImageStore, RemoveImageOptions, ResolveImageOptions } from "./image/store.js";
export type { UnpackOptions } from "./image/unpack.js";
export type { ImageUsage } from "./image/usage.js";
export type { Images } from "./images.js";

// Images between a registry and the daemon.

export type { TransferProgress, TransferRetry } from "./registry/progress.js";
export type { ImageToVerify, PullOptions, PullPolicy, RegistryReader } from "./transfer/pull.js";
export type { PushedImage, PushOptions } from "./transfer/push.js";

// Registries: which hosts, which credentials, how long to try.

export type { Clock } from "./concurrency/clock.js";
export {
  anonymousCredentials,
  type CredentialOptions,
  type CredentialProvider,
  firstCredential,
  type RegistryAuth,
  type RegistryCredential,
} from "./registry/credential.js";
export {
  type DockerConfigOptions,
  dockerCredentials,
  eraseDockerCredential,
  storeDockerCredential,
} from "./registry/docker-config.js";
export { failureOf, type RegistryFailure } from "./registry/failure.js";
export type { HostCapability, RegistryHost, RegistryHosts } from "./registry/host.js";
export { hostsFromDirectories, type RegistryHostsOptions } from "./registry/hosts.js";
export type { HttpTimeoutOptions, HttpTimeouts, HttpTls } from "./registry/http.js";
export { type CheckLoginOptions, checkRegistryLogin } from "./registry/login.js";
export { parseRegistryName } from "./registry/registry-name.js";
export type { RegistryOptions } from "./registry/repository.js";
export type { RetryOptions, RetryPolicy } from "./registry/retry.js";

// Containers and their processes.

export type {
  Container,
  ContainerRuntime,
  Containers,
  CreateContainerOptions,
  UpdateContainerOptions,
} from "./container.js";
export type { Signal } from "./signal.js";
export type { TaskMetrics } from "./task/metrics.js";
export type {
  CreateTaskOptions,
  ExecOptions,
  ExitStatus,
  KillOptions,
  ProcessOptions,
  Stdio,
  TaskProcess,
  TaskStatus,
  Tasks,
  TerminalSize,
} from "./task/task.js";

// Clients that wait for a daemon that is away.

export { createOutage, type Outage, type OutageOptions } from "./outage/outage.js";

// What clients of this process do: see docs/decisions/observability.md.

export { type Logger, logTo } from "./diagnostics/log.js";
export type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "./diagnostics/messages.js";
export { type ClientObserver, observe } from "./diagnostics/observe.js";
export type { OperationObserver } from "./diagnostics/subscribe.js";

// What the daemon stores: content, snapshots, and the leases that keep them.

export type {
  Content,
  ContentInfo,
  Ingest,
  ReadAllOptions,
  ReadOptions,
  WriteOptions,
  WriteSource,
} from "./content/content.js";
export type { CommitOptions, ContentWriter, OpenWriterOptions } from "./content/writer.js";
export type { CreateLeaseOptions, DeleteLeaseOptions, Lease, LeaseResource, Leases } from "./lease/lease.js";
export type { CreateSnapshotOptions, Mount, Snapshot, SnapshotOptions, Snapshots } from "./snapshot.js";

// The daemon itself: namespaces, events, plugins.

export type {
  ContainerdEvent,
  EventBase,
  EventGap,
  Events,
  KnownEvent,
  OtherEvent,
  SubscribeOptions,
  Subscription,
} from "./event/event.js";
export type { EventPayload } from "./event/payload.js";
export type { DaemonIdentity, DaemonPlugin, DaemonProcess, Introspection } from "./introspection.js";
export type { CreateNamespaceOptions, Namespace, Namespaces } from "./namespace.js";

// OCI's documents and names, as pure functions.

export { chainId, chainIds } from "./oci/chain-id.js";
export { type Descriptor, parseDescriptor } from "./oci/descriptor.js";
export { checkDigest, isDigest } from "./oci/digest.js";
export type { ImageConfig, Index, Manifest } from "./oci/manifest.js";
export { MEDIA_TYPES } from "./oci/media-type.js";
export {
  formatPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  rankPlatform,
} from "./oci/platform.js";
export {
  familiarReference,
  formatReference,
  normalizeReference,
  parseReference,
  type Reference,
} from "./oci/reference.js";

// The gRPC services themselves: typed clients, interceptors, values on the wire.

export {
  type AnyValue,
  RUNTIME_PROCESS,
  RUNTIME_RESOURCES,
  RUNTIME_SPEC,
  toJsonAny,
  toMessageAny,
} from "./any.js";
export type { Services } from "./context.js";
export type {
  ContextKey,
  ContextValues,
  Interceptor,
  RpcFunction,
  RpcHeaders,
  RpcOptions,
  RpcRequestBase,
  RpcResponseBase,
  ServiceClient,
  StreamRequest,
  StreamResponse,
  Transport,
  UnaryRequest,
  UnaryResponse,
} from "./rpc.js";
