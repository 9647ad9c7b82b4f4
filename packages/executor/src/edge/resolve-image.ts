import { type Client, isContainerdError, type Platform, type ResolvedImage } from "@wfe-containerd/client";
import type { StepConfig } from "../core/step.js";
import { ExecutorError } from "../error.js";
import type { ProgressEvent } from "../event.js";

export interface ResolveOptions {
  /** The daemon's own. */
  readonly platform: Platform;
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => void;
}

/** The step's image on the daemon, unpacked and ready to be a snapshot's parent, pulled if the step's pull policy says so. */
export async function resolveImage(
  client: Client,
  step: StepConfig,
  { platform, signal }: ResolveOptions,
): Promise<ResolvedImage> {
  const { image } = step;
  const resolved = await client.images.resolve(image, { platform, signal }).catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
    throw new ExecutorError(
      `there is no image ${image} in namespace ${client.namespace}: import it first (wfe-containerd import FILE)`,
      { kind: "image-not-found", cause: reason },
    );
  });
  if (!(await client.images.isUnpacked(resolved, { signal })))
    await client.images.unpack(resolved, { signal });
  return resolved;
}
