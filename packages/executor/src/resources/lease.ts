import type { Client } from "@wfe-containerd/client";
import type { Release } from "./release.js";

/**
 * Longer than any pull and preparation. A step may outlive its lease: by then its container record protects
 * the snapshot.
 */
const LEASE_MS = 24 * 60 * 60 * 1000;

/**
 * Opens the lease of a step, before any other request. It protects everything that is found or made from now
 * on, even if another client removes the image and collects garbage. Later the container record protects it.
 *
 * @returns a client whose calls use the lease.
 */
export async function openLease(
  client: Client,
  id: string,
  labels: Readonly<Record<string, string>>,
  release: Pick<Release, "add">,
): Promise<Client> {
  release.add({ kind: "lease", id }, () => client.leases.delete(id));
  await client.leases.create({ id, expireMs: LEASE_MS, labels });
  return client.with({ leaseId: id });
}
