import type { Descriptor, ResolvedImage } from "@wfe-containerd/client";

/** What a step needs of its image, which is unpacked. A session's snapshot has it, too. */
export interface StepImage extends Pick<ResolvedImage, "name" | "config"> {
  /** The index or manifest that the name points at. */
  readonly target: Pick<Descriptor, "digest">;
  readonly configDescriptor: Pick<Descriptor, "digest">;
  /** The snapshot whose files the step sees. Empty for an image without layers. */
  readonly chainId: string;
}
