import { CALL_OPTIONS, type CallOptions, callService } from "./call.js";
import { createKeyedMutex } from "./concurrency/keyed-mutex.js";
import { CONTAINERS_OPTIONS, type Containers, createContainers } from "./container.js";
import { CONTENT_OPTIONS, type Content, createContent } from "./content/content.js";
import { type Context, createServices, type Services } from "./context.js";
import { printDebugLines } from "./diagnostics/debug-output.js";
import { createEvents, EVENTS_OPTIONS, type Events } from "./event/event.js";
import { checkIdentifier } from "./identifier.js";
import { createImages, IMAGES_OPTIONS, type Images } from "./images.js";
import { createIntrospection, INTROSPECTION_OPTIONS, type Introspection } from "./introspection.js";
import { addLazyMembers } from "./lazy-members.js";
import { createDaemonClock } from "./lease/daemon-clock.js";
import { createLeases, LEASES_OPTIONS, type Leases } from "./lease/lease.js";
import { createUndeletedLeases } from "./lease/undeleted-leases.js";
import { createNamespaces, NAMESPACES_OPTIONS, type Namespaces } from "./namespace.js";
import { checkOptions, type OptionNames, refusingUnknownOptions } from "./options.js";
import { answersVersion } from "./outage/answers-version.js";
import { type Outage, outageOfDaemon } from "./outage/outage.js";
import { createRepeatingServices } from "./outage/repeat.js";
import type { Interceptor, Transport } from "./rpc.js";
import { createSnapshots, SNAPSHOTS_OPTIONS, type Snapshots } from "./snapshot.js";
import { createTasks, TASKS_OPTIONS, type Tasks } from "./task/task.js";
import { type Address, DEFAULT_ADDRESS, parseAddress } from "./transport/address.js";
import { createConnection } from "./transport/connection.js";
import { createTlsContext, type TlsOptions } from "./transport/tls.js";
import { createGrpcTransport } from "./transport/transport.js";

/** Options of {@link createClient}. */
export interface ClientOptions {
  /**
   * Where containerd listens: `/path`, `unix:///path`, `tcp://host:port` or `http://host:port` (plain),
   * `https://host:port` (TLS).
   *
   * @default `WFE_CONTAINERD_ADDR`, else `CONTAINERD_ADDRESS`, else `/run/containerd/containerd.sock`
   */
  readonly address?: string | undefined;
  /**
   * containerd's namespace. Each namespace has its own images, containers and content.
   *
   * @default `CONTAINERD_NAMESPACE`, else `default`
   */
  readonly namespace?: string | undefined;
  /**
   * The snapshotter that unpacks images and makes containers' file systems.
   *
   * @default `CONTAINERD_SNAPSHOTTER`, else `overlayfs`
   */
  readonly snapshotter?: string | undefined;
  /** For an `https://` address. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Allows an unencrypted connection to another machine. It does not weaken TLS.
   *
   * @default false
   */
  readonly insecure?: boolean | undefined;
  /**
   * Deadline of each unary RPC, in milliseconds; 0: no deadline. Waits and streams have no deadline.
   *
   * @default 30_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How often to ask the daemon for its version while calls wait for it, in milliseconds; 0: never. If no
   * answer comes within the same time again (10 s at most), a TCP connection counts as cut, and the calls
   * fail as `unavailable`. A Unix socket cannot be cut, but its daemon may hang: that begins the client's
   * outage, if it has one (see {@link Client.with}).
   *
   * @default 15_000
   */
  readonly keepAliveMs?: number | undefined;
  /** Interceptors as Connect has them, run around every RPC. The last one is the nearest to the daemon. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

const OPTIONS: OptionNames<ClientOptions> = {
  address: true,
  namespace: true,
  snapshotter: true,
  tls: { ca: true, cert: true, key: true, serverName: true },
  insecure: true,
  timeoutMs: true,
  keepAliveMs: true,
  interceptors: true,
};

/** Settings in which clients on the same connection can differ. See {@link Client.with}. */
export interface ClientScope {
  readonly namespace?: string | undefined;
  readonly leaseId?: string | undefined;
  readonly snapshotter?: string | undefined;
  /** Made by {@link createOutage}. */
  readonly outage?: Outage | undefined;
}

const SCOPE_OPTIONS: OptionNames<ClientScope> = {
  namespace: true,
  leaseId: true,
  snapshotter: true,
  outage: true,
};

/**
 * A connection to a containerd. It connects at the first call, and again after a cut.
 *
 * @example
 * ```
 * await using client = createClient({ namespace: "ci" });
 * const image = await client.images.pull("alpine:3.20");
 * ```
 */
export interface Client extends AsyncDisposable {
  /** The full address: `unix:///run/containerd/containerd.sock`, `tcp://127.0.0.1:2500`. */
  readonly address: string;
  /** Whether the daemon is reached through a Unix socket, so that it runs on this machine. */
  readonly isLocal: boolean;
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string | undefined;
  /** What calls do while the daemon is away. Undefined: they fail at once. See {@link createOutage}. */
  readonly outage: Outage | undefined;
  /** What {@link services} send their RPCs through. Clients of further services can use it. */
  readonly transport: Transport;
  readonly services: Services;
  readonly namespaces: Namespaces;
  readonly leases: Leases;
  readonly content: Content;
  readonly images: Images;
  readonly snapshots: Snapshots;
  readonly containers: Containers;
  readonly tasks: Tasks;
  readonly events: Events;
  readonly introspection: Introspection;
  /**
   * How many times the connection was lost so far. It grows when the daemon is restarted: ask again then for
   * what may have changed. It may also grow without a restart.
   */
  disconnects(): number;
  /** Asks for the daemon's version. */
  version(options?: CallOptions): Promise<{ version: string; revision: string }>;
  /**
   * The same connection with another namespace, lease, snapshotter or outage. A lease belongs to one
   * namespace: with another namespace the new client has no lease, unless you give one. Closing the new
   * client does not close the connection.
   *
   * With an outage, calls wait for a daemon that is away, and are then repeated: those that may be made twice
   * at once, the others after their effect was looked up. Without one they fail as `unavailable`.
   */
  with(scope: ClientScope): Client;
  /** Closes the connection. Running calls fail. */
  close(): Promise<void>;
}

/**
 * Creates a client. It does not connect yet: whether the daemon answers shows at the first call.
 *
 * @throws ContainerdError `invalid-argument` for invalid options.
 */
export function createClient(options: ClientOptions = {}): Client {
  checkOptions("createClient", options, OPTIONS);
  printDebugLines();
  const { env } = process;
  const address = findAddress(options, env);
  const keepAliveMs = options.keepAliveMs ?? DEFAULT_KEEP_ALIVE_MS;
  const connection = createConnection({
    address,
    tls: createTlsContext(address, options.tls),
    keepAliveMs,
  });
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const interceptors = options.interceptors ?? [];
  const shared = {
    undeletedLeases: createUndeletedLeases(),
    mutex: createKeyedMutex(),
    daemonClock: createDaemonClock(),
  };

  function transportFor({ namespace, leaseId }: Scope): Transport {
    const headers = {
      "containerd-namespace": namespace,
      ...(leaseId !== undefined && { "containerd-lease": leaseId }),
    };
    return createGrpcTransport({ connection, headers, timeoutMs, interceptors });
  }

  function contextFor(scope: Scope, transport: Transport): Context {
    const plain = createServices(transport);
    const ask = (answerMs: number): Promise<boolean> => answersVersion(plain.version, answerMs);
    const outage = scope.outage && outageOfDaemon(scope.outage, { address: address.text, ask, keepAliveMs });
    return {
      ...scope,
      services: outage === undefined ? plain : createRepeatingServices(plain, outage),
      outage,
      address: address.text,
      isLocal: address.isLocal,
      ...shared,
      withLease(leaseId) {
        const leased = { ...scope, leaseId };
        return contextFor(leased, transportFor(leased));
      },
    };
  }

  function view(scope: Scope, close: () => Promise<void>): Client {
    const { namespace, leaseId } = scope;
    checkIdentifier("namespace", namespace);
    checkIdentifier("snapshotter", scope.snapshotter);
    if (leaseId !== undefined) checkIdentifier("lease id", leaseId);
    const transport = transportFor(scope);
    const context = contextFor(scope, transport);
    const { services } = context;
    const settings = {
      ...scope,
      address: address.text,
      isLocal: address.isLocal,
      transport,
      services,
      disconnects: connection.disconnects,
      version: (callOptions) =>
        callService("ask for the daemon's version", async () => {
          checkOptions("version", callOptions, CALL_OPTIONS);
          const { version, revision } = await services.version.version({}, callOptions);
          return { version, revision };
        }),
      with(changes) {
        checkOptions("with", changes, SCOPE_OPTIONS);
        const { namespace: changed = namespace, leaseId: lease, snapshotter = scope.snapshotter } = changes;
        const { outage: other = scope.outage } = changes;
        const kept = changed === namespace ? leaseId : undefined;
        return view({ namespace: changed, leaseId: lease ?? kept, snapshotter, outage: other }, nothing);
      },
      close,
      [Symbol.asyncDispose]: close,
    } satisfies Omit<Client, keyof Nouns>;
    return addLazyMembers<typeof settings, Nouns>(settings, nounsOf(context));
  }

  const scope: Scope = {
    // An empty environment variable counts as not set.
    namespace: options.namespace ?? (env["CONTAINERD_NAMESPACE"] || "default"),
    snapshotter: options.snapshotter ?? (env["CONTAINERD_SNAPSHOTTER"] || "overlayfs"),
    leaseId: undefined,
    outage: undefined,
  };
  return view(scope, async () => {
    shared.undeletedLeases.close();
    await connection.close();
  });
}

function findAddress({ address, insecure }: ClientOptions, env: NodeJS.ProcessEnv): Address {
  if (address !== undefined) return parseAddress(address, { insecure });
  const field = ["WFE_CONTAINERD_ADDR", "CONTAINERD_ADDRESS"].find((name) => env[name]);
  return parseAddress((field && env[field]) || DEFAULT_ADDRESS, { insecure, field });
}

type Nouns = Pick<
  Client,
  | "namespaces"
  | "leases"
  | "content"
  | "images"
  | "snapshots"
  | "containers"
  | "tasks"
  | "events"
  | "introspection"
>;

/** A step has two clients of its own, and uses few nouns of each. Each is made when it is first used. */
function nounsOf(context: Context): { readonly [Name in keyof Nouns]: () => Nouns[Name] } {
  const parts = addLazyMembers<object, Pick<Nouns, "content" | "snapshots" | "leases" | "introspection">>(
    {},
    {
      content: () => createContent(context),
      snapshots: () => createSnapshots(context),
      leases: () => createLeases(context),
      introspection: () => createIntrospection(context),
    },
  );
  return {
    namespaces: () => refusingUnknownOptions("namespaces", createNamespaces(context), NAMESPACES_OPTIONS),
    leases: () => refusingUnknownOptions("leases", parts.leases, LEASES_OPTIONS),
    content: () => refusingUnknownOptions("content", parts.content, CONTENT_OPTIONS),
    images: () => refusingUnknownOptions("images", createImages(context, parts), IMAGES_OPTIONS),
    snapshots: () => refusingUnknownOptions("snapshots", parts.snapshots, SNAPSHOTS_OPTIONS),
    containers: () => refusingUnknownOptions("containers", createContainers(context), CONTAINERS_OPTIONS),
    tasks: () => refusingUnknownOptions("tasks", createTasks(context), TASKS_OPTIONS),
    events: () => refusingUnknownOptions("events", createEvents(context), EVENTS_OPTIONS),
    introspection: () => refusingUnknownOptions("introspection", parts.introspection, INTROSPECTION_OPTIONS),
  };
}

/** The settings in which clients on the same connection can differ. */
interface Scope {
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string | undefined;
  readonly outage: Outage | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_KEEP_ALIVE_MS = 15_000;

async function nothing(): Promise<void> {}
