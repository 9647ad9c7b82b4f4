import { ContainerdError } from "../error.js";
import { type Descriptor, parseDescriptor } from "./descriptor.js";
import { checkDigest } from "./digest.js";
import { isIndex } from "./media-type.js";
import type { Platform } from "./platform.js";

/** No honest manifest, index or config is larger. */
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

/** An image's config (OCI image spec, config.md), as its JSON has it. */
export interface ImageConfig extends Platform {
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
 * Reads an index or a manifest; which of them its descriptor says. A document that could be taken for both is refused: two readers
 * could see two images in it.
 */
export function parseIndexOrManifest(descriptor: Descriptor, bytes: Uint8Array): Index | Manifest {
  const name = `the document ${descriptor.digest}`;
  const document = parseJson(name, bytes);
  const { manifests, layers, config, mediaType, schemaVersion } = document;
  if (schemaVersion === 1)
    refuse(`${name} has the retired schema 1`, "push the image again with a tool of this decade");
  if (manifests !== undefined && (layers !== undefined || config !== undefined)) {
    refuse(`${name} is both an index and a manifest`, "one of them");
  }
  if (mediaType !== undefined && mediaType !== descriptor.mediaType) {
    refuse(
      `${name} says it is ${JSON.stringify(mediaType)}, its descriptor says ${descriptor.mediaType}`,
      "the same in both",
    );
  }
  if (isIndex(descriptor.mediaType)) {
    if (!Array.isArray(manifests)) refuse(`${name} is no index`, "an object with manifests");
    return { manifests: manifests.map((entry, at) => parseDescriptor(`${name}: manifests[${at}]`, entry)) };
  }
  if (!Array.isArray(layers)) refuse(`${name} is no manifest`, "an object with config and layers");
  return {
    config: parseDescriptor(`${name}: config`, config),
    layers: layers.map((entry, at) => parseDescriptor(`${name}: layers[${at}]`, entry)),
  };
}

export function isIndexDocument(document: Index | Manifest): document is Index {
  return "manifests" in document;
}

export function parseImageConfig(digest: string, bytes: Uint8Array): ImageConfig {
  const name = `the image config ${digest}`;
  const document = parseJson(name, bytes);
  const { rootfs, os, architecture } = document;
  const diffIds = (rootfs as { diff_ids?: unknown } | undefined)?.diff_ids ?? [];
  if (!Array.isArray(diffIds)) refuse(`${name} has no list rootfs.diff_ids`, "digests");
  for (const diffId of diffIds) checkDigest(`${name}: rootfs.diff_ids`, diffId);
  if (typeof os !== "string" || typeof architecture !== "string")
    refuse(`${name} has no os and architecture`, "both");
  checkProcess(name, document["config"]);
  return { ...(document as unknown as ImageConfig), rootfs: { diff_ids: diffIds as string[] } };
}

const TEXTS = ["User", "WorkingDir", "StopSignal"];
const LISTS = ["Env", "Entrypoint", "Cmd"];

/** What a container's process is made from: whoever reads it need not ask what it is. */
function checkProcess(name: string, config: unknown): void {
  const isText = (value: unknown): boolean => typeof value === "string";
  if (config === undefined || config === null) return;
  if (typeof config !== "object" || Array.isArray(config)) refuse(`${name}: config is no object`, "one");
  for (const [field, value] of Object.entries(config)) {
    if (value === null) continue;
    if (TEXTS.includes(field) && !isText(value)) refuse(`${name}: config.${field} is no text`, "text");
    if (LISTS.includes(field) && !(Array.isArray(value) && value.every(isText)))
      refuse(`${name}: config.${field} is no list of texts`, "a list of texts");
  }
}

function parseJson(name: string, bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength > MAX_DOCUMENT_BYTES)
    refuse(`${name} has ${bytes.byteLength} bytes`, `at most ${MAX_DOCUMENT_BYTES}`);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ContainerdError(`${name} is no JSON`, { kind: "invalid-argument", cause });
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    refuse(`${name} is no object`, "one");
  return document as Record<string, unknown>;
}

function refuse(problem: string, allowed: string): never {
  throw new ContainerdError(`${problem}; allowed: ${allowed}`, { kind: "invalid-argument" });
}
