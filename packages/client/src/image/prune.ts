import type { CallOptions } from "../call.js";
import { callService } from "../call.js";
import type { Context } from "../context.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import type { Leases } from "../lease/lease.js";
import type { Image } from "./record.js";
import type { ImageStore } from "./store.js";

/** Options of `Images.prune`. */
export interface PruneOptions extends CallOptions {
  /** Remove only images that were created and last changed before this time, by the daemon's clock. */
  readonly until?: Date | undefined;
  /**
   * Filters in containerd's filter language: `name~="^registry.example.com/"`, `labels."team"==ci`. An image
   * is considered if any filter matches.
   */
  readonly filters?: readonly string[] | undefined;
  /**
   * Return the images that would be removed, and remove nothing.
   *
   * @default false
   */
  readonly dryRun?: boolean | undefined;
}

interface Pruner {
  readonly context: Context;
  readonly leases: Pick<Leases, "collectGarbage">;
  readonly images: Pick<ImageStore, "list" | "remove">;
}

/** Other clients of containerd (`ctr`, the kubelet's) mark an image with this label when it must stay. */
const PINNED_LABEL = "io.cri-containerd.pinned";

/**
 * Removes the images that no container of the namespace uses. Then waits until the garbage collector has
 * removed what nothing else needs.
 *
 * @returns the removed images.
 */
export async function pruneImages(
  { context, leases, images }: Pruner,
  { until, filters = [], dryRun = false, ...options }: PruneOptions = {},
): Promise<Image[]> {
  const { containers } = await callService("list containers", () =>
    context.services.containers.list({ filters: [] }, options),
  );
  const used = new Set(containers.map(({ image }) => image));
  const unused = (await images.list(filters, options)).filter(
    ({ name, labels, createdAt, updatedAt }) =>
      !used.has(name) &&
      labels[PINNED_LABEL] !== "pinned" &&
      (until === undefined || Math.max(createdAt.getTime(), updatedAt.getTime()) < until.getTime()),
  );
  if (dryRun) return unused;
  const removed: Image[] = [];
  for (const image of unused) {
    // Another client may have removed it meanwhile.
    const own = await ignoreNotFound(images.remove(image, options).then(() => image));
    if (own !== undefined) removed.push(own);
  }
  if (removed.length > 0) await leases.collectGarbage(options);
  return removed;
}
