import type { Client as ServiceClient } from "@connectrpc/connect";
import { createClient as createServiceClient, type Transport } from "@connectrpc/connect";
import { Containers } from "@wfe-containerd/proto/services/containers";
import { Content } from "@wfe-containerd/proto/services/content";
import { Diff } from "@wfe-containerd/proto/services/diff";
import { Events } from "@wfe-containerd/proto/services/events";
import { Images } from "@wfe-containerd/proto/services/images";
import { Introspection } from "@wfe-containerd/proto/services/introspection";
import { Leases } from "@wfe-containerd/proto/services/leases";
import { Namespaces } from "@wfe-containerd/proto/services/namespaces";
import { Controller, Store } from "@wfe-containerd/proto/services/sandbox";
import { Snapshots } from "@wfe-containerd/proto/services/snapshots";
import { Streaming } from "@wfe-containerd/proto/services/streaming";
import { Tasks } from "@wfe-containerd/proto/services/tasks";
import { Transfer } from "@wfe-containerd/proto/services/transfer";
import { Version } from "@wfe-containerd/proto/services/version";
import type { KeyedMutex } from "./concurrency/keyed-mutex.js";

/** containerd's gRPC services, each as a typed client. They throw Connect's own ConnectError. */
export interface Services {
  readonly containers: ServiceClient<typeof Containers>;
  readonly content: ServiceClient<typeof Content>;
  readonly diff: ServiceClient<typeof Diff>;
  readonly events: ServiceClient<typeof Events>;
  readonly images: ServiceClient<typeof Images>;
  readonly introspection: ServiceClient<typeof Introspection>;
  readonly leases: ServiceClient<typeof Leases>;
  readonly namespaces: ServiceClient<typeof Namespaces>;
  readonly snapshots: ServiceClient<typeof Snapshots>;
  readonly tasks: ServiceClient<typeof Tasks>;
  readonly version: ServiceClient<typeof Version>;
  /** containerd 1.7 and later. */
  readonly transfer: ServiceClient<typeof Transfer>;
  /** containerd 1.7 and later. */
  readonly streaming: ServiceClient<typeof Streaming>;
  /** containerd 1.7 and later. */
  readonly sandboxStore: ServiceClient<typeof Store>;
  /** containerd 1.7 and later. */
  readonly sandboxController: ServiceClient<typeof Controller>;
}

export function createServices(transport: Transport): Services {
  return {
    containers: createServiceClient(Containers, transport),
    content: createServiceClient(Content, transport),
    diff: createServiceClient(Diff, transport),
    events: createServiceClient(Events, transport),
    images: createServiceClient(Images, transport),
    introspection: createServiceClient(Introspection, transport),
    leases: createServiceClient(Leases, transport),
    namespaces: createServiceClient(Namespaces, transport),
    snapshots: createServiceClient(Snapshots, transport),
    tasks: createServiceClient(Tasks, transport),
    version: createServiceClient(Version, transport),
    transfer: createServiceClient(Transfer, transport),
    streaming: createServiceClient(Streaming, transport),
    sandboxStore: createServiceClient(Store, transport),
    sandboxController: createServiceClient(Controller, transport),
  };
}

/** What every noun is made of: the services, and the client view that they are called for. */
export interface Context {
  readonly services: Services;
  readonly namespace: string;
  /** Name of the snapshotter that is used where none is given. */
  readonly snapshotter: string;
  /** The lease that what is created is held by. */
  readonly leaseId: string | undefined;
  /** The daemon is reached through a Unix socket. */
  readonly isLocal: boolean;
  /** Leases whose work is over and that could not be deleted, as the daemon was away; of all views of the client. */
  readonly undeletedLeases: Set<string>;
  /** Whoever brings a blob or unpacks a layer, under the name that the daemon has for it, has a turn; of all views of the client. */
  readonly mutex: KeyedMutex;
  /** The same, with another lease. */
  withLease(id: string): Context;
}
