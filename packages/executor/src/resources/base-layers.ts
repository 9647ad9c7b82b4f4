import { randomUUID } from "node:crypto";
import { type Client, isContainerdError, type Mount, type ResolvedImage } from "@wfe-containerd/client";
import { createKeyedMutex, ignoreNotFound } from "@wfe-containerd/client/internal";
import {
  BASE_LAYER_LABEL,
  type BaseLayer,
  baseLayerEntries,
  baseLayerReference,
  baseLayersOf,
} from "../core/plan/base-layer.js";
import { unpackAt } from "./unpack-archive.js";

/** A client whose calls use a lease. */
export interface Leased {
  readonly leased: Client;
  readonly leaseId: string;
}

/** The base layers of images. */
export interface BaseLayers {
  /**
   * Finds the base layer of an image, or makes it. From now on the lease protects it, and with it the image's
   * layers.
   *
   * @param image is unpacked, and protected by the lease.
   */
  open(client: Leased, image: ResolvedImage, signal: AbortSignal): Promise<BaseLayer>;
}

/** ENOTDIR, ELOOP, and what containerd's differ says of a circle of links. */
const NO_DIRECTORY = /not a directory|too many (?:levels of symbolic )?links/;

/** Another process may remove the image just after we found its base layer. */
const TRIES = 5;

export function createBaseLayers(): BaseLayers {
  const mutex = createKeyedMutex();
  return {
    open(client, image, signal) {
      const { address, namespace, snapshotter } = client.leased;
      const name = JSON.stringify([address, namespace, snapshotter, image.chainId]);
      return mutex.run(name, signal, async () => {
        for (let tries = 0; tries < TRIES; tries++) {
          const layer =
            (await findBaseLayer(client, image.chainId)) ?? (await makeBaseLayer(client.leased, image));
          if (layer !== undefined) return layer;
        }
        throw new Error(`the base layer of image ${image.name} is removed again and again`);
      });
    },
  };
}

/**
 * Finds the base layer of an image. If it is there, the lease protects it, and with it the image's layers.
 *
 * It is added to the lease first, and looked for then: the daemon takes what does not exist into a lease,
 * without an error.
 */
async function findBaseLayer({ leased, leaseId }: Leased, chainId: string): Promise<BaseLayer | undefined> {
  const type = `snapshots/${leased.snapshotter}`;
  for (const layer of baseLayersOf(chainId)) {
    await leased.leases.addResource(leaseId, { type, id: layer.key });
    if ((await ignoreNotFound(leased.snapshots.stat(layer.key))) !== undefined) return layer;
  }
  return undefined;
}

/** @returns undefined if another process has made it meanwhile. */
async function makeBaseLayer(leased: Client, image: ResolvedImage): Promise<BaseLayer | undefined> {
  const { snapshots, content, snapshotter } = leased;
  const key = `wfe-containerd-base-${randomUUID()}`;
  try {
    const mounts = await snapshots.prepare(key, image.chainId);
    const hasNameFiles = await fillBaseLayer(leased, mounts);
    const layer = baseLayersOf(image.chainId).find((kind) => kind.hasNameFiles === hasNameFiles) as BaseLayer;
    await snapshots.commit(layer.key, key, { labels: { [BASE_LAYER_LABEL]: image.chainId } });
    // Not found: the daemon has no config of the image any more. Then the lease alone protects the layer.
    await ignoreNotFound(
      content.setLabels(image.configDescriptor.digest, baseLayerReference(snapshotter, layer)),
    );
    return layer;
  } catch (reason) {
    await snapshots.remove(key).catch(() => undefined);
    if (!isContainerdError(reason, "already-exists")) throw reason;
    return undefined;
  }
}

/**
 * Fills a layer. If `/etc` of the image is a link, it stays a link. In some images the differ cannot make a
 * file in `/etc`, because it is a file or a circle of links: they get the second kind of layer.
 *
 * @returns the layer's `hasNameFiles`.
 */
export async function fillBaseLayer(leased: Client, mounts: readonly Mount[]): Promise<boolean> {
  const write = async (hasNameFiles: boolean): Promise<boolean> => {
    await unpackAt(leased, mounts, baseLayerEntries({ hasNameFiles }), { followLinks: true });
    return hasNameFiles;
  };
  return write(true).catch((reason: unknown) => {
    // Not for any other failure: the layer is kept, and a disk may be full for a moment only.
    if (!isContainerdError(reason, "unknown") || !NO_DIRECTORY.test(reason.message)) throw reason;
    return write(false).catch(() => {
      throw reason;
    });
  });
}
