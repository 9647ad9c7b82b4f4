import { refuse } from "../refuse.js";
import { type Descriptor, parseDescriptor } from "./descriptor.js";
import { checkDigest } from "./digest.js";
import { isImageConfig, isIndex, isLayer, isSchema1, UNKNOWN_MEDIA_TYPE } from "./media-type.js";
import type { Platform } from "./platform.js";

/** Largest size of a manifest, index or config. No honest one is larger. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** One image for one platform. */
export interface Manifest {
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

/** Images of the same name for several platforms. */
export interface Index {
  readonly manifests: readonly Descriptor[];
}

/**
 * An image's config, as parsed JSON (OCI image spec, config.md). Some builders leave out `os` or
 * `architecture`. The platform of a resolved image always has both.
 */
export interface ImageConfig {
  readonly os?: Platform["os"] | undefined;
  readonly architecture?: Platform["architecture"] | undefined;
  readonly variant?: Platform["variant"];
  readonly config?:
    | {
        readonly User?: string | undefined;
        readonly Env?: readonly string[] | null | undefined;
        readonly Entrypoint?: readonly string[] | null | undefined;
        readonly Cmd?: readonly string[] | null | undefined;
        readonly WorkingDir?: string | undefined;
        readonly StopSignal?: string | undefined;
        readonly Labels?: Readonly<Record<string, string>> | null | undefined;
      }
    | undefined;
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/**
 * Reads an index or a manifest. The media type of its descriptor says which. A document that could be read as
 * both is refused, because two readers could see two different images in it. Go writes an empty list as
 * `null`; it is read as an empty list.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parseIndexOrManifest(descriptor: Descriptor, bytes: Uint8Array): Index | Manifest {
  const name = `the document ${descriptor.digest}`;
  const document = parseJson(name, bytes);
  const { manifests, layers, config, mediaType, schemaVersion } = document;
  if (schemaVersion === 1 || isSchema1(descriptor.mediaType)) {
    refuse(
      `${name} is an image manifest of docker's retired schema 1`,
      "schema 2 and OCI; pull the image with a current tool and push it again",
    );
  }
  if (isPresent(manifests) && (isPresent(layers) || isPresent(config))) {
    refuse(`${name} is both an index and a manifest`, "either manifests, or config and layers");
  }
  if (isPresent(mediaType) && mediaType !== "" && mediaType !== descriptor.mediaType) {
    refuse(
      `${name} has the media type ${JSON.stringify(mediaType)}, but its descriptor says ${descriptor.mediaType}`,
      "the same media type in both",
    );
  }
  if (isIndex(descriptor.mediaType)) {
    if (isPresent(layers) || isPresent(config))
      refuse(`${name} is a manifest, but its descriptor says ${descriptor.mediaType}`, "a list of manifests");
    const entries = parseList(`${name}: manifests`, manifests);
    return { manifests: entries.map((entry, at) => parseEntry(`${name}: manifests[${at}]`, entry)) };
  }
  if (isPresent(manifests))
    refuse(`${name} is an index, but its descriptor says ${descriptor.mediaType}`, "config and layers");
  const entries = parseList(`${name}: layers`, layers);
  return {
    config: parseDescriptor(`${name}: config`, config),
    layers: entries.map((entry, at) => parseDescriptor(`${name}: layers[${at}]`, entry)),
  };
}

/** Gives an entry without a media type the unknown type, so that it is skipped. Go's readers do the same. */
function parseEntry(field: string, entry: unknown): Descriptor {
  const isUntyped =
    typeof entry === "object" && entry !== null && !isPresent((entry as { mediaType?: unknown }).mediaType);
  return parseDescriptor(field, isUntyped ? { ...entry, mediaType: UNKNOWN_MEDIA_TYPE } : entry);
}

export function isIndexDocument(document: Index | Manifest): document is Index {
  return "manifests" in document;
}

/**
 * Whether a manifest is that of a container image, and not of an artifact: a chart, a signature, an
 * attestation. Some old images have a config with an odd media type, so a layer with files is enough.
 */
export function isImageManifest({ config, layers }: Manifest): boolean {
  const hasFiles = layers.some(({ mediaType }) => isLayer(mediaType));
  return hasFiles || (layers.length === 0 && isImageConfig(config.mediaType));
}

export function parseImageConfig(digest: string, bytes: Uint8Array): ImageConfig {
  const name = `the image config ${digest}`;
  const { os, architecture, variant, rootfs, ...document } = parseJson(name, bytes);
  const diffIds = parseList(
    `${name}: rootfs.diff_ids`,
    (rootfs as { diff_ids?: unknown } | undefined | null)?.diff_ids,
  );
  for (const diffId of diffIds) checkDigest(`${name}: rootfs.diff_ids`, diffId);
  for (const [field, value] of Object.entries({ os, architecture, variant })) {
    if (isPresent(value) && typeof value !== "string")
      refuse(
        `${name}: ${field} is ${JSON.stringify(value).slice(0, 80)}`,
        "text, for example linux or amd64",
      );
  }
  checkProcess(name, document["config"]);
  return {
    ...(document as unknown as ImageConfig),
    ...(isText(os) && { os }),
    ...(isText(architecture) && { architecture }),
    ...(isText(variant) && { variant }),
    rootfs: { diff_ids: diffIds as string[] },
  };
}

/** Reads a list. An absent list and `null` count as empty. */
function parseList(field: string, value: unknown): readonly unknown[] {
  if (!isPresent(value)) return [];
  return Array.isArray(value) ? value : refuse(`${field} is not a list`, "a list");
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Go writes an unset text as an empty one. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

const TEXTS = ["User", "WorkingDir", "StopSignal"];
const LISTS = ["Env", "Entrypoint", "Cmd"];

/**
 * Checks the types of the fields from which a container's process is made, so that readers need not check
 * again.
 */
function checkProcess(name: string, config: unknown): void {
  const isString = (value: unknown): boolean => typeof value === "string";
  if (!isPresent(config)) return;
  if (typeof config !== "object" || Array.isArray(config))
    refuse(`${name}: config is not an object`, "an object");
  for (const [field, value] of Object.entries(config as object)) {
    if (value === null) continue;
    if (TEXTS.includes(field) && !isString(value)) refuse(`${name}: config.${field} is not text`, "text");
    if (LISTS.includes(field) && !(Array.isArray(value) && value.every(isString)))
      refuse(`${name}: config.${field} is not a list of strings`, "a list of strings");
  }
}

function parseJson(name: string, bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength > MAX_DOCUMENT_BYTES)
    refuse(`${name} has ${bytes.byteLength} bytes`, `up to ${MAX_DOCUMENT_BYTES} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    refuse(`${name} is not JSON`, "a JSON object", cause);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    refuse(`${name} is not a JSON object`, "a JSON object");
  return document as Record<string, unknown>;
}
