import { randomUUID } from "node:crypto";
import type { CallOptions } from "../call.js";
import type { Context } from "../context.js";
import type { Leases } from "./lease.js";
import { currentOwner, isOwnerGone, OWNER_LABEL } from "./process-owner.js";

const WORKS = ["export", "import", "pull", "push", "read", "unpack"] as const;
export type Work = (typeof WORKS)[number];

export interface Worker {
  readonly context: Context;
  readonly leases: Leases;
}

/** Holds what a piece of work makes, or needs, until something else holds it. Disposing it ends it. */
export interface WorkLease extends AsyncDisposable {
  readonly id: string;
  /** For what is made under it. */
  readonly context: Context;
  /** Deletes the lease. @param sync answer only after what nothing else holds was collected. */
  end(options?: { readonly sync?: boolean }): Promise<void>;
}

/** Longer than any work takes; what a process on a machine that is gone has left goes after it. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/** Begins a piece of work: what it makes and nothing holds in the end goes with its lease, also when the caller has given up. */
export async function beginWork(
  { context, leases }: Worker,
  work: Work,
  { signal, timeoutMs }: CallOptions = {},
): Promise<WorkLease> {
  const labels = { [OWNER_LABEL]: await currentOwner() };
  signal?.throwIfAborted();
  // Not cancelled half-way: the daemon might have made it, and nobody would delete it.
  const lease = await leases.create({ timeoutMs, id: `${work}-${randomUUID()}`, expireMs: LEASE_MS, labels });
  let isEnded = false;
  async function end(options?: { readonly sync?: boolean }): Promise<void> {
    if (isEnded) return;
    isEnded = true;
    // How the work itself went says more than that the daemon is gone now. Whoever comes next deletes it.
    await lease.delete(options).catch(() => void context.undeletedLeases.add(lease.id));
  }
  return { id: lease.id, context: context.withLease(lease.id), end, [Symbol.asyncDispose]: () => end() };
}

/**
 * Deletes the leases of work that is over: whose process on this machine has gone, or whose end the daemon did not hear of. What was half made under
 * them goes at the next collection.
 */
export async function deleteStaleWork({ context, leases }: Worker, options: CallOptions): Promise<void> {
  for (const { id, labels } of await leases.list([`labels."${OWNER_LABEL}"`], options)) {
    if (!WORKS.some((work) => id.startsWith(`${work}-`))) continue;
    if (!context.undeletedLeases.has(id) && (await isOwnerGone(labels[OWNER_LABEL] ?? "")) !== true) continue;
    await leases.delete(id, options);
    context.undeletedLeases.delete(id);
  }
}
