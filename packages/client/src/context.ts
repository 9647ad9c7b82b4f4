import { createClient } from "@connectrpc/connect";
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
import { addLazyMembers } from "./lazy-members.js";
import type { DaemonClock } from "./lease/daemon-clock.js";
import type { UndeletedLeases } from "./lease/undeleted-leases.js";
import type { DaemonOutage } from "./outage/daemon-outage.js";
import type { ServiceClient, Transport } from "./rpc.js";

/** containerd's gRPC services, each as a typed client. They throw Connect's own `ConnectError`. */
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

/** Most clients use few of them, so each is made when it is first used. */
export function createServices(transport: Transport): Services {
  return addLazyMembers<object, Services>(
    {},
    {
      containers: () => createClient(Containers, transport),
      content: () => createClient(Content, transport),
      diff: () => createClient(Diff, transport),
      events: () => createClient(Events, transport),
      images: () => createClient(Images, transport),
      introspection: () => createClient(Introspection, transport),
      leases: () => createClient(Leases, transport),
      namespaces: () => createClient(Namespaces, transport),
      snapshots: () => createClient(Snapshots, transport),
      tasks: () => createClient(Tasks, transport),
      version: () => createClient(Version, transport),
      transfer: () => createClient(Transfer, transport),
      streaming: () => createClient(Streaming, transport),
      sandboxStore: () => createClient(Store, transport),
      sandboxController: () => createClient(Controller, transport),
    },
  );
}

/** What the parts of a client share: the services, and the settings that calls are made with. */
export interface Context {
  readonly services: Services;
  readonly namespace: string;
  /** The snapshotter that is used when a call names none. */
  readonly snapshotter: string;
  /** The lease that protects whatever is created. */
  readonly leaseId: string | undefined;
  /** The client's address, for diagnostics. */
  readonly address: string;
  /** Whether the daemon is reached through a Unix socket. */
  readonly isLocal: boolean;
  /**
   * Waits for the daemon while it is away. The unary calls of `services` already do; this is for streams.
   * Undefined for a client whose calls fail at once.
   */
  readonly outage: DaemonOutage | undefined;
  /** The daemon's clock. Shared by all clients on the same connection. */
  readonly daemonClock: DaemonClock;
  /**
   * Leases whose work is finished, but which could not be deleted because the daemon was unavailable. Shared
   * by all clients on the same connection.
   */
  readonly undeletedLeases: UndeletedLeases;
  /**
   * Lets only one caller at a time fetch a given blob or unpack a given layer. The key is the daemon's name
   * for it. Shared by all clients on the same connection.
   */
  readonly mutex: KeyedMutex;
  /** The same context with another lease. */
  withLease(id: string): Context;
}
