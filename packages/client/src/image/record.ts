import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Image as WireImage } from "@wfe-containerd/proto/services/images";
import type { CallOptions } from "../call.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { normalizeReference, withoutCredentials } from "../oci/reference.js";

/** A name for content. */
export interface Image {
  /** In full, `docker.io/library/alpine:latest`, where we gave it; other clients name images as they please: `alpine`, `sha256:…`. */
  readonly name: string;
  readonly target: Descriptor;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Asks for the record that somebody means by what they wrote: the one of exactly that name, and where there is none, the one of its full name. In this
 * order the name that a list gives always leads to its own record, and removing by it never removes another one.
 *
 * @throws ContainerdError `not-found`; `invalid-argument` when there is no such record, and the text is no reference either.
 */
export async function askByName<T>(text: string, ask: (name: string) => Promise<T>): Promise<T> {
  // What may be a password goes nowhere, not even into the message that the daemon is away.
  if (withoutCredentials(text) === text) {
    try {
      return await ask(text);
    } catch (reason) {
      if (!isContainerdError(reason, "not-found") || normalizeReference(text) === text) throw reason;
    }
  }
  return ask(normalizeReference(text));
}

/** The record that is given, or the one that a name means. */
export async function findImage(
  { get }: { get(name: string, options?: CallOptions): Promise<Image> },
  image: string | Image,
  options?: CallOptions,
): Promise<Image> {
  return typeof image === "string" ? get(image, options) : image;
}

export function toImage({ name, target, labels, createdAt, updatedAt }: WireImage): Image {
  if (target === undefined)
    throw new ContainerdError(`image ${name} points at nothing`, { kind: "data-loss" });
  const date = (time: WireImage["createdAt"]): Date =>
    time === undefined ? new Date(0) : timestampDate(time);
  return {
    name,
    target: { mediaType: target.mediaType, digest: target.digest, size: Number(target.size) },
    labels,
    createdAt: date(createdAt),
    updatedAt: date(updatedAt),
  };
}
