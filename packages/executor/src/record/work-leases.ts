import type { Client, Lease } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound, isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { isStepId } from "../step-id.js";
import { abandonedSteps } from "./abandoned.js";
import type { Pile } from "./leftover.js";

/**
 * The leases of dead processes that pulled, imported or unpacked images, with what only they protect.
 *
 * @param known the ids of the daemon's steps. A claim on one of them is removed with the step.
 */
export async function findWorkLeases(
  client: Client,
  madeBefore: number,
  known: ReadonlySet<string>,
): Promise<Pile[]> {
  const piles: Pile[] = [];
  for (const lease of await client.leases.list([`labels."${LABELS.owner}"`])) {
    if (isStepId(lease.id) || lease.createdAt.getTime() > madeBefore) continue;
    const { [LABELS.claim]: claimed = "", [LABELS.owner]: owner = "" } = lease.labels;
    if (known.has(claimed)) continue;
    const isAbandoned = abandonedSteps.has(claimed) && owner === (await currentOwner());
    if (!isAbandoned && (await isOwnerGone(owner)) !== true) continue;
    piles.push(await pileOfLease(client, lease));
  }
  return piles;
}

async function pileOfLease(client: Client, lease: Lease): Promise<Pile> {
  const leftover = { kind: "lease", id: lease.id, reason: "its process has ended" } as const;
  const ingests = await ingestsOf(client, lease.id);
  return [{ leftover, remove: () => lease.delete({ sync: true }) }, ...ingests];
}

/** The ingests that only this lease protects. The lease is removed before them. */
export async function ingestsOf(client: Client, leaseId: string, stepId?: string): Promise<Pile> {
  const onLease = async (id: string): Promise<string[]> =>
    ((await ignoreNotFound(client.leases.listResources(id))) ?? [])
      .filter(({ type }) => type === "ingests")
      .map((resource) => resource.id);
  const own = await onLease(leaseId);
  if (own.length === 0) return [];
  const others = (await client.leases.list()).filter(({ id }) => id !== leaseId);
  const shared = new Set((await Promise.all(others.map(({ id }) => onLease(id)))).flat());
  const reason = `only lease ${leaseId} protects it`;
  return own
    .filter((id) => !shared.has(id))
    .map((id) => ({
      leftover: { kind: "ingest", id, stepId, reason },
      async remove() {
        // The garbage collection after the lease has removed it, unless another client found it in time.
        if (await ignoreNotFound(client.content.status(id))) throw new Error("another client writes it");
      },
    }));
}
