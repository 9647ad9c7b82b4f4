import type { Interceptor, Transport } from "@connectrpc/connect";
import { parseAddress } from "./address.js";
import { type CallOptions, call } from "./call.js";
import { type Containers, createContainers } from "./container.js";
import { type Content, createContent } from "./content.js";
import { type Context, createServices, type Services } from "./context.js";
import { createImages, type Images } from "./image.js";
import { createIntrospection, type Introspection } from "./introspection.js";
import { createLeases, type Leases } from "./lease.js";
import { createSnapshots, type Snapshots } from "./snapshot.js";
import { createTasks, type Tasks } from "./task.js";
import { createChannel } from "./transport/channel.js";
import { createGrpcTransport } from "./transport/transport.js";

export interface ClientOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly snapshotter?: string;
  readonly timeoutMs?: number;
  readonly interceptors?: readonly Interceptor[];
}

export interface Client extends AsyncDisposable {
  readonly address: string;
  readonly isLocal: boolean;
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string | undefined;
  /** For the functions of this package that are made of it. */
  readonly context: Context;
  readonly transport: Transport;
  readonly services: Services;
  readonly leases: Leases;
  readonly content: Content;
  readonly images: Images;
  readonly snapshots: Snapshots;
  readonly containers: Containers;
  readonly tasks: Tasks;
  readonly introspection: Introspection;
  version(options?: CallOptions): Promise<{ version: string; revision: string }>;
  with(scope: { namespace?: string; leaseId?: string; snapshotter?: string }): Client;
  close(): Promise<void>;
}

export function createClient(options: ClientOptions = {}): Client {
  const { env } = process;
  const address = parseAddress(options.address ?? env["WFE_CONTAINERD_ADDR"] ?? env["CONTAINERD_ADDRESS"] ?? "/run/containerd/containerd.sock");
  const channel = createChannel(address);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const interceptors = options.interceptors ?? [];

  function view(scope: Scope, close: () => Promise<void>): Client {
    const { namespace, leaseId } = scope;
    const headers = { "containerd-namespace": namespace, ...(leaseId !== undefined && { "containerd-lease": leaseId }) };
    const transport = createGrpcTransport({ channel, headers, timeoutMs, interceptors });
    const services = createServices(transport);
    const context: Context = {
      ...scope,
      services,
      isLocal: address.isLocal,
      withLease: (id) => view({ ...scope, leaseId: id }, nothing).context,
    };
    const content = createContent(context);
    const snapshots = createSnapshots(context);
    const leases = createLeases(context);
    const introspection = createIntrospection(context);
    return {
      ...scope,
      address: address.text,
      isLocal: address.isLocal,
      transport,
      services,
      context,
      leases,
      content,
      images: createImages(context, { content, snapshots, leases, introspection }),
      snapshots,
      containers: createContainers(context),
      tasks: createTasks(context),
      introspection,
      version: (callOptions) =>
        call("ask for the daemon's version", async () => {
          const { version, revision } = await services.version.version({}, callOptions);
          return { version, revision };
        }),
      with: (changes) => view({ ...scope, ...changes }, nothing),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  const scope: Scope = {
    namespace: options.namespace ?? env["CONTAINERD_NAMESPACE"] ?? "default",
    snapshotter: options.snapshotter ?? env["CONTAINERD_SNAPSHOTTER"] ?? "overlayfs",
    leaseId: undefined,
  };
  return view(scope, async () => channel.close());
}

/** What a view of a client differs in. */
interface Scope {
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;

async function nothing(): Promise<void> {}
