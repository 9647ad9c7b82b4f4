export {
  type AnyValue,
  RUNTIME_PROCESS,
  RUNTIME_RESOURCES,
  RUNTIME_SPEC,
  toJsonAny,
  toMessageAny,
} from "./any.js";
export { type CallOptions, callService } from "./call.js";
export { type Client, type ClientOptions, createClient } from "./connect.js";
export type { Container, Containers, CreateContainerOptions } from "./container.js";
export type { Content, ContentInfo, Ingest, WriteOptions, WriteSource } from "./content/content.js";
export type { ContentWriter, OpenWriterOptions } from "./content/writer.js";
export type { Context, Services } from "./context.js";
export { ContainerdError, type ErrorKind, isContainerdError } from "./error.js";
export type {
  ContainerdEvent,
  EventGap,
  Events,
  KnownEvent,
  OtherEvent,
  SubscribeOptions,
  Subscription,
} from "./event/event.js";
export type { EventPayload } from "./event/payload.js";
export { checkIdentifier, checkLabels } from "./identifier.js";
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
export type { DaemonPlugin, Introspection } from "./introspection.js";
export type { CreateLeaseOptions, DeleteLeaseOptions, Lease, LeaseResource, Leases } from "./lease/lease.js";
export { currentOwner, isOwnerGone, OWNER_LABEL } from "./lease/process-owner.js";
export type { Namespace, Namespaces } from "./namespace.js";
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
export {
  anonymousCredentials,
  type CredentialProvider,
  credentialsOf,
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
export type { HttpTimeouts, HttpTls } from "./registry/http.js";
export { type CheckLoginOptions, checkRegistryLogin } from "./registry/login.js";
export type { TransferProgress, TransferRetry } from "./registry/progress.js";
export { parseRegistryName } from "./registry/registry-name.js";
export type { RegistryOptions } from "./registry/repository.js";
export type { RetryPolicy } from "./registry/retry.js";
export { isSignal, type Signal } from "./signal.js";
export type { CreateSnapshotOptions, Mount, Snapshot, SnapshotOptions, Snapshots } from "./snapshot.js";
export type { TaskMetrics } from "./task/metrics.js";
export type {
  CreateTaskOptions,
  ExecOptions,
  ExitStatus,
  ProcessOptions,
  Stdio,
  TaskStatus,
  Tasks,
} from "./task/task.js";
export type { ImageToVerify, PullOptions, PullPolicy, RegistryReader } from "./transfer/pull.js";
export type { PushedImage, PushOptions } from "./transfer/push.js";
export type { TlsOptions } from "./transport/tls.js";
