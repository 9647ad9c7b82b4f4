import { randomUUID } from "node:crypto";
import type { CallOptions } from "../call.js";
import type { Context } from "../context.js";
import { isContainerdError } from "../error.js";
import type { DeleteLeaseOptions, Leases } from "./lease.js";
import { currentOwner, isOwnerGone, OWNER_LABEL } from "./process-owner.js";

const WORKS = ["export", "import", "pull", "push", "read", "unpack"] as const;
export type Work = (typeof WORKS)[number];

export interface Worker {
  readonly context: Context;
  readonly leases: Leases;
}

/**
 * A lease for one piece of work: it protects what the work makes or needs until something else refers to it.
 * Disposing it ends it.
 */
export interface WorkLease extends AsyncDisposable {
  readonly id: string;
  /** The context whose calls create under this lease. */
  readonly context: Context;
  /**
   * Deletes the lease.
   *
   * @param options `sync`: wait until everything that nothing else protects was collected.
   */
  end(options?: { readonly sync?: boolean }): Promise<void>;
}

/**
 * Longer than any work takes. After this time, leftovers of a process on a vanished machine can be collected.
 */
const LEASE_MS = 24 * 60 * 60 * 1000;

/**
 * Creates a lease for a piece of work. Deleting the lease removes whatever the work made and nothing refers
 * to, even after an abort.
 */
export async function beginWork(
  { context, leases }: Worker,
  work: Work,
  { signal, timeoutMs }: CallOptions = {},
): Promise<WorkLease> {
  const labels = { [OWNER_LABEL]: await currentOwner() };
  signal?.throwIfAborted();
  const id = `${work}-${randomUUID()}`;
  const deleteLater = (options?: DeleteLeaseOptions): void =>
    context.undeletedLeases.add(id, () => leases.delete(id, options));
  // This call takes no signal. If it were cancelled, the daemon might have created the lease, and nobody
  // would delete it.
  const lease = await leases
    .create({ timeoutMs, id, expireMs: LEASE_MS, labels })
    .catch((reason: unknown) => {
      if (isOutcomeUnknown(reason)) deleteLater();
      throw reason;
    });
  let isEnded = false;
  async function end(options?: { readonly sync?: boolean }): Promise<void> {
    if (isEnded) return;
    isEnded = true;
    // The outcome of the work matters more than a daemon that is now unavailable. The lease is deleted later.
    await lease.delete(options).catch(() => deleteLater(options));
  }
  return { id, context: context.withLease(id), end, [Symbol.asyncDispose]: () => end() };
}

/** Whether a call may have taken effect although it has failed: the daemon's answer did not arrive. */
function isOutcomeUnknown(reason: unknown): boolean {
  return (["unavailable", "deadline-exceeded", "canceled"] as const).some((kind) =>
    isContainerdError(reason, kind),
  );
}

/**
 * Runs a task that creates under the client's lease, or under a lease of its own if the client has none.
 * Whatever nothing else refers to is released with that lease, even after an abort.
 */
export async function underLease<T>(
  worker: Worker,
  work: Work,
  options: CallOptions,
  task: (context: Context) => Promise<T>,
): Promise<T> {
  if (worker.context.leaseId !== undefined) return task(worker.context);
  await using lease = await beginWork(worker, work, options);
  return await task(lease.context);
}

/**
 * Deletes leases of finished work: the lease's process on this machine has ended, or an earlier delete did
 * not reach the daemon. The next garbage collection removes what was made under them.
 */
export async function deleteStaleWork({ context, leases }: Worker, options: CallOptions): Promise<void> {
  for (const { id, labels } of await leases.list([`labels."${OWNER_LABEL}"`], options)) {
    if (!WORKS.some((work) => id.startsWith(`${work}-`))) continue;
    if (!context.undeletedLeases.has(id) && (await isOwnerGone(labels[OWNER_LABEL] ?? "")) !== true) continue;
    await leases.delete(id, options);
    context.undeletedLeases.delete(id);
  }
}
