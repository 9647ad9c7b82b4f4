import { createContent } from "../content/content.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { blobsFor } from "../image/blobs.js";
import { type ResolvedImage, resolveTarget } from "../image/resolve.js";
import type { ImageParts, ImageStore } from "../image/store.js";
import { unpackImage } from "../image/unpack.js";
import { walkImage } from "../image/walk.js";
import type { LeaseResource } from "../lease/lease.js";
import { underLease } from "../lease/work-lease.js";
import type { Platform } from "../oci/platform.js";
import { createSnapshots } from "../snapshot.js";

/** The parts of the client that a pull uses. */
export interface Puller extends Pick<ImageParts, "content" | "leases" | "introspection"> {
  readonly context: Context;
  readonly images: Pick<ImageStore, "get" | "put" | "isUnpacked">;
}

/**
 * Returns the local image for its platform, complete and unpacked; undefined if anything is missing. With
 * `unpack`, it is unpacked if necessary. If the client has a lease, the lease protects the image from now on.
 */
export async function findStoredImage(
  puller: Puller,
  text: string,
  platform: Platform,
  { unpack, signal }: { unpack: boolean; signal: AbortSignal },
): Promise<ResolvedImage | undefined> {
  const { images, content } = puller;
  try {
    const { name, target } = await images.get(text, { signal });
    // Lease the target first, then check the rest. The target's labels protect the rest. The daemon accepts a
    // lease on content that is already gone, without an error, so the check must come after.
    await addToLease(puller, { type: "content", id: target.digest }, signal);
    const image = await resolveTarget(walkImage(content, target, { signal }), name, platform);
    const { snapshotter } = puller.context;
    if (image.chainId !== "")
      await addToLease(puller, { type: `snapshots/${snapshotter}`, id: image.chainId }, signal);
    if (await images.isUnpacked(image, { signal })) return image;
    if (!unpack) return undefined;
    await underLease(puller, "pull", { signal }, async (context) => {
      const parts = { context, content: createContent(context), snapshots: createSnapshots(context) };
      await unpackImage(parts, image, { signal });
    });
    return image;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  }
}

/** Whether the daemon also has the content for the additional platforms. */
export async function hasPlatforms(
  { content }: Puller,
  image: ResolvedImage,
  platforms: "all" | readonly Platform[],
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const walk = walkImage(content, image.target, { signal });
    for (const { digest } of await blobsFor(walk, image.name, platforms))
      await content.info(digest, { signal });
    return true;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return false;
    throw reason;
  }
}

async function addToLease(
  { context: { leaseId }, leases }: Puller,
  resource: LeaseResource,
  signal: AbortSignal,
): Promise<void> {
  if (leaseId === undefined) return;
  await leases.addResource(leaseId, resource, { signal }).catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
    throw new ContainerdError(`the client's lease ${leaseId} no longer exists`, {
      kind: "failed-precondition",
      cause: reason,
    });
  });
}
