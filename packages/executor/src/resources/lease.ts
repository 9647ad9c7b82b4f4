import type { Client } from "@wfe-containerd/client";
import type { Release } from "./release.js";

/** Longer than any pull and any preparation takes. Once the container's record exists it holds the snapshot, so a step may outlive its lease. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/**
 * Opens the lease of a step, before anything else is asked for: whatever is found or made from then on stays until the step holds it otherwise, though
 * somebody else removes the image and collects the garbage meanwhile.
 *
 * @returns the client whose calls are made under the lease.
 */
export async function openLease(
  client: Client,
  id: string,
  labels: Readonly<Record<string, string>>,
  release: Release,
): Promise<Client> {
  release.add(`lease ${id}`, () => client.leases.delete(id));
  await client.leases.create({ id, expireMs: LEASE_MS, labels });
  return client.with({ leaseId: id });
}
