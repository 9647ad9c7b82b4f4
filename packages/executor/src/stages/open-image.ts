import type { Client, Mount, ResolvedImage, Snapshot } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { type BaseLayer, baseLayersOf } from "../core/plan/base-layer.js";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { resolveImage } from "../image/resolve-image.js";
import type { StepImage } from "../image/step-image.js";
import { prepareSnapshot } from "../resources/acquire.js";
import { openSnapshot } from "../snapshots/open-snapshot.js";
import type { StepContext } from "./context.js";

/** A step's image, unpacked, and the layer that the step's snapshot stands on. */
export interface OpenedImage {
  readonly image: StepImage;
  readonly baseLayer: BaseLayer;
  /** The mounts of the step's snapshot, if it is made already. */
  readonly rootfs?: Mount[] | undefined;
}

/**
 * Finds the step's image, and pulls it if necessary. From now on the lease protects its unpacked layers.
 *
 * If the image is known from an earlier step, the step's snapshot is made at once: that shows whether the
 * image is still there, and protects its layers.
 *
 * @param known what is known of the image. It may be gone by now.
 * @param labels those of the step's snapshot.
 * @param from a session's snapshot, which takes the place of the image.
 * @throws ExecutorError `image-not-found` or `pull-failed`.
 */
export async function openImage(
  { id, executor, machine, signals, events, release }: StepContext,
  leased: Client,
  allowed: AllowedStep,
  known: ResolvedImage | undefined,
  labels: Readonly<Record<string, string>>,
  from: Snapshot | undefined,
): Promise<OpenedImage> {
  if (from !== undefined) return openSnapshot(leased, id, from);
  const [baseLayer] = known === undefined ? [] : baseLayersOf(known.chainId);
  // With a user namespace, its snapshot has more labels, which depend on the image.
  if (known !== undefined && baseLayer !== undefined && !allowed.userNamespace) {
    const clients = { client: machine.client, leased };
    const rootfs = await ignoreNotFound(
      prepareSnapshot(clients, id, { parent: baseLayer.key, labels }, release),
    );
    if (rootfs !== undefined) return { image: known, baseLayer, rootfs };
  }
  const { platform } = machine.facts;
  const image = await resolveImage(leased, allowed, {
    platform,
    pull: executor.pull,
    signal: signals.stop,
    onProgress: (progress) => void events.push(progress),
  });
  const opened = await executor.baseLayers.open({ leased, leaseId: id }, image, signals.stop);
  executor.knownImages.add(machine.client, image, platform);
  return { image, baseLayer: opened };
}
