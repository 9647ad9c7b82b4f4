import { randomBytes } from "node:crypto";
import type { CallOptions } from "../call.js";
import { callService } from "../call.js";
import type { Content } from "../content/content.js";
import type { Context } from "../context.js";
import { applyDiff } from "../diff.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { createLeases } from "../lease/lease.js";
import { chainIds } from "../oci/chain-id.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Snapshots } from "../snapshot.js";
import type { ResolvedImage } from "./resolve.js";
import { DEFAULT_MAX_UNPACKED_BYTES, exceeded, withSizeLimit } from "./unpack-limit.js";

/** Options of `Images.unpack`. */
export interface UnpackOptions extends CallOptions {
  /** Called for every layer, with whether it was unpacked now or already existed. */
  readonly onLayer?: ((layer: Descriptor, state: "unpacked" | "exists") => void) | undefined;
  /** Awaited before each layer is unpacked. Use it to wait for a layer that is still being fetched. */
  readonly beforeLayer?: ((layer: Descriptor) => Promise<void>) | undefined;
  /**
   * Limit in bytes for all layers that are unpacked now, together, on the daemon's disk.
   *
   * @default 100 GiB
   */
  readonly maxUnpackedBytes?: number | undefined;
}

export interface Unpacker {
  readonly context: Context;
  readonly content: Content;
  readonly snapshots: Snapshots;
}

/** Another client may remove a snapshot just after we found it. Then we try again, at most this often. */
const TRIES = 5;

/**
 * Unpacks an image's layers into committed snapshots. Each is named by its chain ID, as containerd's own
 * clients do, so clients share them. Calls on one connection wait for each other, so each layer is unpacked
 * only once. We cannot see that another process is unpacking the same layer. Then the snapshot that is
 * committed first stays and is shared.
 */
export async function unpackImage(
  unpacker: Unpacker,
  image: ResolvedImage,
  { onLayer, beforeLayer, maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES, ...options }: UnpackOptions = {},
): Promise<void> {
  const { context, content, snapshots } = unpacker;
  let leftBytes = maxUnpackedBytes;
  const chain = chainIds(image.diffIds);
  for (const [index, layer] of image.layers.entries()) {
    await beforeLayer?.(layer);
    const isNew = await unpackLayer(unpacker, layer, {
      chainId: chain[index] as string,
      parent: chain[index - 1] ?? "",
      diffId: image.diffIds[index] as string,
      maxBytes: leftBytes,
      options,
    });
    if (isNew) leftBytes -= (await snapshots.usage(chain[index] as string, options)).sizeBytes;
    if (leftBytes < 0) throw exceeded();
    onLayer?.(layer, isNew ? "unpacked" : "exists");
  }
  // This label refers from the config to the snapshot. Garbage collection then keeps the unpacked layers as
  // long as the image.
  await content.setLabels(image.configDescriptor.digest, {
    [`containerd.io/gc.ref.snapshot.${context.snapshotter}`]: image.chainId,
  });
}

interface LayerPlace {
  readonly chainId: string;
  readonly parent: string;
  readonly diffId: string;
  readonly maxBytes: number;
  readonly options: CallOptions;
}

/**
 * Unpacks a layer unless it is already unpacked; then returns false. A caller that waited for another one
 * checks for itself: its own lease must protect the snapshot, and the other caller may have failed.
 */
async function unpackLayer(unpacker: Unpacker, layer: Descriptor, place: LayerPlace): Promise<boolean> {
  const { namespace, snapshotter, mutex } = unpacker.context;
  const name = JSON.stringify([namespace, snapshotter, place.chainId]);
  return callService(`unpack layer ${layer.digest}`, () =>
    mutex.run(name, place.options.signal, () => makeSnapshot(unpacker, layer, place)),
  );
}

async function makeSnapshot(unpacker: Unpacker, layer: Descriptor, place: LayerPlace): Promise<boolean> {
  const { snapshots } = unpacker;
  const { chainId, parent, options } = place;
  const labels = { "containerd.io/snapshot.ref": chainId };
  for (let tries = 0; tries < TRIES; tries++) {
    const key = `extract-${randomBytes(6).toString("hex")} ${chainId}`;
    try {
      const mounts = await snapshots.prepare(key, parent, { labels });
      await fillSnapshot(unpacker, layer, place, key, mounts);
      return true;
    } catch (reason) {
      if (!isContainerdError(reason, "already-exists")) throw reason;
      // From 1.7 on the daemon has already added the snapshot to our lease. Add it before the check: a
      // snapshot that is leased first, and then found, cannot vanish.
      await leaseSnapshot(unpacker.context, chainId, options);
      if (await exists(snapshots, chainId, options)) return false;
    }
  }
  throw new ContainerdError(`snapshot ${chainId} is removed again and again while it is unpacked`, {
    kind: "unavailable",
  });
}

/**
 * Applies the layer to its snapshot and commits it.
 *
 * @throws ContainerdError `already-exists` when another client committed it first; `data-loss` when the layer
 * unpacks to another digest than the config says.
 */
async function fillSnapshot(
  { context, content, snapshots }: Unpacker,
  layer: Descriptor,
  { chainId, diffId, maxBytes, options }: LayerPlace,
  key: string,
  mounts: Awaited<ReturnType<Snapshots["prepare"]>>,
): Promise<void> {
  try {
    const { digest } = layer;
    const unpacked = await withSizeLimit({ snapshots, key, maxBytes }, (tooLarge) =>
      callService(`unpack layer ${digest}`, () =>
        applyDiff(context.services, layer, mounts, {
          signal: options.signal === undefined ? tooLarge : AbortSignal.any([options.signal, tooLarge]),
          timeoutMs: 0,
        }),
      ),
    );
    if (unpacked !== diffId) {
      throw new ContainerdError(
        `layer ${digest} unpacks to ${unpacked}, but the image's config says ${diffId}`,
        { kind: "data-loss" },
      );
    }
    await snapshots.commit(chainId, key);
    await content.setLabels(digest, { "containerd.io/uncompressed": diffId });
  } catch (reason) {
    await snapshots.remove(key).catch(() => undefined);
    throw reason;
  }
}

async function leaseSnapshot(context: Context, id: string, options: CallOptions): Promise<void> {
  const { leaseId, snapshotter } = context;
  if (leaseId === undefined) return;
  await createLeases(context).addResource(leaseId, { type: `snapshots/${snapshotter}`, id }, options);
}

async function exists(snapshots: Snapshots, name: string, options: CallOptions): Promise<boolean> {
  return (await ignoreNotFound(snapshots.stat(name, options))) !== undefined;
}
