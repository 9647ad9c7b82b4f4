import { randomUUID } from "node:crypto";
import type { Lease as WireLease } from "@wfe-containerd/proto/services/leases";
import { CALL_OPTIONS, type CallOptions, callService } from "../call.js";
import type { Context } from "../context.js";
import { checkIdentifier, checkLabels } from "../identifier.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { checkOptions, type NounOptions, type OptionNames } from "../options.js";
import { toDate } from "../timestamp.js";

/**
 * Protects everything that is created under it from garbage collection. Disposing a lease deletes it.
 *
 * containerd has no call that extends a lease. So give a lease more time than the work can take: it then
 * expires only if its process has died. Before you delete a lease, make sure that what must stay has another
 * reference, such as a container's or an image's record.
 */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  /** Deletes the lease. See {@link Leases.delete}. */
  delete(options?: DeleteLeaseOptions): Promise<void>;
}

/** Options of {@link Leases.create}. */
export interface CreateLeaseOptions extends CallOptions {
  /**
   * The lease's id.
   *
   * @default a random id
   */
  readonly id?: string | undefined;
  /**
   * Milliseconds from now after which a garbage collection may delete the lease, by the daemon's clock.
   * An idle
   * daemon runs no collection: see {@link Leases.collectGarbage}.
   *
   * @default the lease never expires
   */
  readonly expireMs?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Options of {@link Leases.delete}. */
export interface DeleteLeaseOptions extends CallOptions {
  /**
   * Wait until a garbage collection has run.
   *
   * @default false
   */
  readonly sync?: boolean | undefined;
}

/**
 * Something that a lease protects: `{ type: "content", id: digest }`,
 * `{ type: "snapshots/overlayfs", id: key }`, `{ type: "ingests", id: ref }`.
 */
export interface LeaseResource {
  readonly type: string;
  readonly id: string;
}

/**
 * containerd's leases (`services/leases/v1`).
 *
 * @example
 * ```
 * await using lease = await client.leases.create({ expireMs: 60 * 60 * 1000 });
 * const leased = client.with({ leaseId: lease.id });
 * await leased.snapshots.prepare("scratch");
 * ```
 */
export interface Leases {
  /**
   * Creates a lease. Make clients that use it with `client.with({ leaseId })`.
   *
   * @throws ContainerdError `already-exists`.
   */
  create(options?: CreateLeaseOptions): Promise<Lease>;
  /**
   * Lists the leases of the namespace.
   *
   * @param filters in containerd's filter language: `id==x`, `labels."k"==v`. A lease is listed if any filter
   * matches.
   */
  list(filters?: readonly string[], options?: CallOptions): Promise<Lease[]>;
  /**
   * Deletes a lease. A missing lease is not an error. The next garbage collection removes whatever nothing
   * else protects.
   */
  delete(id: string, options?: DeleteLeaseOptions): Promise<void>;
  /**
   * Adds something to the lease, which then protects it.
   *
   * @throws ContainerdError `not-found` when the lease does not exist.
   */
  addResource(id: string, resource: LeaseResource, options?: CallOptions): Promise<void>;
  /** Removes something from the lease, which then no longer protects it. */
  deleteResource(id: string, resource: LeaseResource, options?: CallOptions): Promise<void>;
  /** Lists what the lease protects. */
  listResources(id: string, options?: CallOptions): Promise<LeaseResource[]>;
  /**
   * Runs a garbage collection now. The API has only one way to do so: create a lease, and delete it with
   * `sync`.
   */
  collectGarbage(options?: CallOptions): Promise<void>;
}

const DELETE: OptionNames<DeleteLeaseOptions> = { ...CALL_OPTIONS, sync: true };

export const LEASES_OPTIONS: NounOptions<Leases> = {
  create: ["0", { ...CALL_OPTIONS, id: true, expireMs: true, labels: true }],
  list: ["1", CALL_OPTIONS],
  delete: ["1", DELETE],
  addResource: ["2", CALL_OPTIONS],
  deleteResource: ["2", CALL_OPTIONS],
  listResources: ["1", CALL_OPTIONS],
  collectGarbage: ["0", CALL_OPTIONS],
};

/** Read by containerd's garbage collector (`metadata/gc.go`). */
const EXPIRE_LABEL = "containerd.io/gc.expire";

export function createLeases({ services, daemonClock }: Context): Leases {
  function toLease(wire: WireLease): Lease {
    return {
      id: wire.id,
      labels: wire.labels,
      createdAt: toDate(wire.createdAt),
      async delete(options) {
        checkOptions("lease.delete", options, DELETE);
        await remove(wire.id, options);
      },
      [Symbol.asyncDispose]: () => remove(wire.id),
    };
  }

  async function create(options: CreateLeaseOptions = {}): Promise<Lease> {
    const { id = randomUUID(), expireMs, labels, ...callOptions } = options;
    const all = checkLabels(labels);
    checkIdentifier("lease id", id);
    const createOnce = async (): Promise<{ lease: WireLease; isOnTime: boolean }> => {
      const askedAt = performance.now();
      if (expireMs !== undefined) all[EXPIRE_LABEL] = new Date(daemonClock.nowMs() + expireMs).toISOString();
      const lease = (await services.leases.create({ id, labels: all }, callOptions)).lease as WireLease;
      const isOnTime =
        lease.createdAt === undefined || daemonClock.learn(toDate(lease.createdAt).getTime(), askedAt);
      return { lease, isOnTime };
    };
    return callService(`create lease ${id}`, async () => {
      let { lease, isOnTime } = await createOnce();
      if (expireMs !== undefined && !isOnTime) {
        // The garbage collector compares with the daemon's clock, and no call changes a lease's labels. Its
        // creation has told us the daemon's time, so the lease is made again. Nothing is on it yet.
        await remove(id, callOptions);
        ({ lease } = await createOnce());
      }
      return toLease(lease);
    });
  }

  async function remove(
    id: string,
    { sync = false, ...callOptions }: DeleteLeaseOptions = {},
  ): Promise<void> {
    await ignoreNotFound(
      callService(`delete lease ${id}`, () => services.leases.delete({ id, sync }, callOptions)),
    );
  }

  return {
    create,
    delete: remove,
    list: (filters = [], options) =>
      callService("list leases", async () => {
        const { leases } = await services.leases.list({ filters: [...filters] }, options);
        return leases.map(toLease);
      }),
    async addResource(id, resource, options) {
      await callService(`add ${resource.type} ${resource.id} to lease ${id}`, () =>
        services.leases.addResource({ id, resource }, options),
      );
    },
    async deleteResource(id, resource, options) {
      await callService(`remove ${resource.type} ${resource.id} from lease ${id}`, () =>
        services.leases.deleteResource({ id, resource }, options),
      );
    },
    listResources: (id, options) =>
      callService(`list the resources of lease ${id}`, async () => {
        const { resources } = await services.leases.listResources({ id }, options);
        return resources.map(({ type, id: resourceId }) => ({ type, id: resourceId }));
      }),
    async collectGarbage(options) {
      const lease = await create(options);
      await lease.delete({ ...options, sync: true });
    },
  };
}
