import { randomUUID } from "node:crypto";
import type { CallOptions } from "../call.js";
import type { Lease, Leases } from "../lease.js";
import { currentOwner, isOwnerGone, OWNER_LABEL } from "../process-owner.js";

const PREFIX = "pull-";
/** Longer than any pull takes; what a process on a machine that is gone has brought goes after it. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/** Holds what a pull brings until the image holds it. */
export async function createPullLease(leases: Leases, { signal, timeoutMs }: CallOptions): Promise<Lease> {
  const labels = { [OWNER_LABEL]: await currentOwner() };
  signal?.throwIfAborted();
  // Not cancelled half-way: the daemon might have made it, and nobody would delete it.
  return leases.create({ timeoutMs, id: `${PREFIX}${randomUUID()}`, expireMs: LEASE_MS, labels });
}

/** Deletes the leases of pulls whose process on this machine has gone, and with them, at the next collection, what those had half brought. */
export async function deleteStaleLeases(leases: Leases, options: CallOptions): Promise<void> {
  for (const { id, labels } of await leases.list([`labels."${OWNER_LABEL}"`], options)) {
    if (!id.startsWith(PREFIX) || (await isOwnerGone(labels[OWNER_LABEL] ?? "")) !== true) continue;
    await leases.delete(id, options);
  }
}
