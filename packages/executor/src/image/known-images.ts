import type { Client, Platform, ResolvedImage } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";

/** How many images are remembered. */
const MOST_IMAGES = 256;

/**
 * What is known of images that earlier steps used. It depends on an image's digest and the daemon's platform
 * alone, so it never changes.
 */
export interface KnownImages {
  /**
   * Asks the daemon which image the step's name means now. Returns what is known of it; undefined if nothing
   * is known, if the registry must be asked, or if the call fails. Then `resolveImage` finds out more.
   * Nothing protects the image yet. Never rejects.
   */
  find(client: Client, step: AllowedStep, platform: Platform): Promise<ResolvedImage | undefined>;
  add(client: Client, image: ResolvedImage, platform: Platform): void;
}

export function createKnownImages(): KnownImages {
  const known = new Map<string, ResolvedImage>();
  const keyOf = ({ address, namespace }: Client, digest: string, platform: Platform): string =>
    JSON.stringify([address, namespace, digest, platform]);
  return {
    async find(client, { image: text, pull }, platform) {
      if (known.size === 0 || pull === "always") return undefined;
      try {
        const { name, target } = await client.images.get(text);
        // A record can have any name: one that ends with a digest need not have that digest.
        if (text.includes("@") && !text.endsWith(`@${target.digest}`)) return undefined;
        const found = known.get(keyOf(client, target.digest, platform));
        return found && { ...found, name, target };
      } catch {
        return undefined;
      }
    },
    add(client, image, platform) {
      const key = keyOf(client, image.target.digest, platform);
      // Inserted last again: the first entry of the map is the one unused for longest.
      known.delete(key);
      known.set(key, image);
      const [oldest] = known.keys();
      if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    },
  };
}
