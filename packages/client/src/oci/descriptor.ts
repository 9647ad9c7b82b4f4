import { ContainerdError } from "../error.js";
import { refuse } from "../refuse.js";
import { checkDigest } from "./digest.js";
import type { Platform } from "./platform.js";

/** Points at a blob (OCI image spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads a descriptor out of a parsed JSON document.
 *
 * @param field begins the error's message.
 * @throws ContainerdError `invalid-argument` that names the field.
 */
export function parseDescriptor(field: string, value: unknown): Descriptor {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    refuse(`${field} is missing or not a descriptor`, "an object with mediaType, digest and size");
  const { mediaType, digest, size, platform, annotations } = value as Record<string, unknown>;
  if (typeof mediaType !== "string" || mediaType === "")
    refuse(`${field}.mediaType is missing`, "a media type");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    refuse(
      `${field}.size is ${String(JSON.stringify(size)).slice(0, 80)}`,
      `a number of bytes, 0 to ${Number.MAX_SAFE_INTEGER}`,
    );
  }
  return {
    mediaType,
    digest: checkDigest(`${field}.digest`, digest),
    size,
    ...(isPlatform(platform) && { platform: withoutNull(platform) }),
    ...(isObject(annotations) && { annotations: onlyTexts(annotations) }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A platform must name both os and architecture. Otherwise it is ignored, and the image's config decides. */
function isPlatform(value: unknown): value is Platform {
  if (!isObject(value)) return false;
  const { os, architecture, variant = null } = value;
  const isNamed = (part: unknown): boolean => typeof part === "string" && part !== "";
  return isNamed(os) && isNamed(architecture) && (variant === null || typeof variant === "string");
}

function withoutNull(platform: Platform): Platform {
  const { variant, ...others } = platform;
  return typeof variant === "string" ? platform : others;
}

function onlyTexts(annotations: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/**
 * Checks the size of a blob.
 *
 * @param kind the kind of the error: `invalid-argument` for what a caller gave, `data-loss` for what
 * containerd has stored.
 */
export function checkSize(
  { digest, size }: Descriptor,
  actual: number,
  kind: "invalid-argument" | "data-loss",
): void {
  if (actual === size) return;
  throw new ContainerdError(`${digest} has ${actual} bytes, but its descriptor says ${size}`, { kind });
}
