import { ContainerdError } from "../error.js";
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

/** Reads a descriptor out of a JSON document. @throws ContainerdError `invalid-argument` that names the field. */
export function parseDescriptor(field: string, value: unknown): Descriptor {
  if (typeof value !== "object" || value === null)
    refuse(field, "is no descriptor", "an object with mediaType, digest and size");
  const { mediaType, digest, size, platform, annotations } = value as Record<string, unknown>;
  if (typeof mediaType !== "string" || mediaType === "")
    refuse(`${field}.mediaType`, "is missing", "a media type");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    refuse(`${field}.size`, "is no size", "a number of bytes");
  return {
    mediaType,
    digest: checkDigest(`${field}.digest`, digest),
    size,
    ...(isPlatform(platform) && { platform }),
    ...(typeof annotations === "object" &&
      annotations !== null && { annotations: annotations as Record<string, string> }),
  };
}

function isPlatform(value: unknown): value is Platform {
  if (typeof value !== "object" || value === null) return false;
  const { os, architecture, variant } = value as Record<string, unknown>;
  return (
    typeof os === "string" &&
    typeof architecture === "string" &&
    (variant === undefined || typeof variant === "string")
  );
}

function refuse(field: string, problem: string, allowed: string): never {
  throw new ContainerdError(`${field} ${problem}; allowed: ${allowed}`, { kind: "invalid-argument" });
}
