import type { Image as WireImage } from "@wfe-containerd/proto/services/images";
import type { CallOptions } from "../call.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { normalizeReference, withoutCredentials } from "../oci/reference.js";
import { toDate } from "../timestamp.js";

/** An image's record: a name for content. */
export interface Image {
  /**
   * The full name, `docker.io/library/alpine:latest`, if this package gave it. Other clients may use any
   * name: `alpine`, `sha256:…`.
   */
  readonly name: string;
  readonly target: Descriptor;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Finds the record for a name: first the record with exactly this name, then the one with its full name. In
 * this order, a name from a list always leads to its own record, so removing by name never removes another
 * image.
 *
 * @throws ContainerdError `not-found`; `invalid-argument` when no record has this name and it is not a valid
 * reference.
 */
export async function askByName<T>(text: string, ask: (name: string) => Promise<T>): Promise<T> {
  // A text that may contain a password is sent nowhere. It also must not appear in an error about an
  // unavailable daemon.
  if (withoutCredentials(text) === text) {
    try {
      return await ask(text);
    } catch (reason) {
      if (!isContainerdError(reason, "not-found") || normalizeReference(text) === text) throw reason;
    }
  }
  return ask(normalizeReference(text));
}

/** Returns a given record, or finds the record for a name. */
export async function findImage(
  { get }: { get(name: string, options?: CallOptions): Promise<Image> },
  image: string | Image,
  options?: CallOptions,
): Promise<Image> {
  return typeof image === "string" ? get(image, options) : image;
}

export function toImage({ name, target, labels, createdAt, updatedAt }: WireImage): Image {
  if (target === undefined)
    throw new ContainerdError(`the record of image ${name} has no target`, { kind: "data-loss" });
  return {
    name,
    target: { mediaType: target.mediaType, digest: target.digest, size: Number(target.size) },
    labels,
    createdAt: toDate(createdAt),
    updatedAt: toDate(updatedAt),
  };
}
