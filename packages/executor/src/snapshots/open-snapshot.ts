import type { Client, Snapshot } from "@wfe-containerd/client";
import { ignoreNotFound, parseImageConfig } from "@wfe-containerd/client/internal";
import type { BaseLayer } from "../core/plan/base-layer.js";
import { SNAPSHOT_LABELS } from "../core/plan/session-snapshot.js";
import type { StepImage } from "../image/step-image.js";
import { missingSnapshot } from "./session-snapshot.js";

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * Returns a snapshot in place of an image and its base layer. From now on the lease protects it.
 *
 * @param leased calls with it use the lease.
 * @throws ExecutorError `invalid-argument` if it was removed since it was found.
 */
export async function openSnapshot(
  leased: Client,
  leaseId: string,
  { name: key, labels }: Snapshot,
): Promise<{ readonly image: StepImage; readonly baseLayer: BaseLayer }> {
  const { leases, snapshots, content, snapshotter } = leased;
  const digest = labels[SNAPSHOT_LABELS.config] ?? "";
  // Added first, and looked for then: the daemon takes what does not exist into a lease, without an error.
  await leases.addResource(leaseId, { type: `snapshots/${snapshotter}`, id: key });
  const [found, config] = await Promise.all([
    ignoreNotFound(snapshots.stat(key)),
    ignoreNotFound(content.readAll(digest, { maxBytes: MAX_CONFIG_BYTES })),
  ]);
  if (found === undefined || config === undefined)
    throw missingSnapshot(leased, labels[SNAPSHOT_LABELS.name] ?? "");
  return {
    image: {
      name: labels[SNAPSHOT_LABELS.image] ?? "",
      target: { digest: labels[SNAPSHOT_LABELS.digest] ?? "" },
      configDescriptor: { digest },
      config: parseImageConfig(digest, config),
      chainId: key,
    },
    baseLayer: { key, hasNameFiles: labels[SNAPSHOT_LABELS.nameFiles] === "yes" },
  };
}
