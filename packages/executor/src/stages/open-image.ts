import type { ResolvedImage } from "@wfe-containerd/client";
import type { BaseLayer } from "../core/plan/base-layer.js";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { resolveImage } from "../image/resolve-image.js";
import { findBaseLayer, type Leased } from "../resources/base-layers.js";
import type { StepContext } from "./context.js";

/** A step's image, unpacked, and the layer that the step's snapshot stands on. */
export interface OpenedImage {
  readonly image: ResolvedImage;
  readonly baseLayer: BaseLayer;
}

/**
 * Finds the step's image, and pulls it if necessary. From now on the lease protects its unpacked layers.
 *
 * @param known what is known of it from an earlier step. It may be gone by now.
 * @throws ExecutorError `image-not-found` or `pull-failed`.
 */
export async function openImage(
  { executor, machine, signals, events }: StepContext,
  client: Leased,
  allowed: AllowedStep,
  known: ResolvedImage | undefined,
): Promise<OpenedImage> {
  if (known !== undefined) {
    const baseLayer = await findBaseLayer(client, known.chainId);
    if (baseLayer !== undefined) return { image: known, baseLayer };
  }
  const { platform } = machine.facts;
  const image = await resolveImage(client.leased, allowed, {
    platform,
    pull: executor.pull,
    signal: signals.stop,
    onProgress: (progress) => void events.push(progress),
  });
  const baseLayer = await executor.baseLayers.open(client, image, signals.stop);
  executor.knownImages.add(machine.client, image, platform);
  return { image, baseLayer };
}
