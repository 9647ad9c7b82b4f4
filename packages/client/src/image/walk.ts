import type { CallOptions } from "../call.js";
import type { Content } from "../content/content.js";
import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import {
  type ImageConfig,
  type Index,
  isIndexDocument,
  MAX_DOCUMENT_BYTES,
  type Manifest,
  parseImageConfig,
  parseIndexOrManifest,
} from "../oci/manifest.js";
import { isIndex, isManifest, isSchema1 } from "../oci/media-type.js";

/** Limits for reading one image. Honest images stay far below: the largest have a few dozen documents. */
export const IMAGE_LIMITS = {
  /** Number of indexes above a manifest. */
  depth: 4,
  /** Number of indexes, manifests and configs to read. */
  documents: 1_000,
  /** Number of distinct blobs that these documents list, including layers. */
  entries: 10_000,
  /** Size in bytes of all these documents together. */
  bytes: 64 * 1024 * 1024,
} as const;

/** The result of reading a descriptor. */
export type ImageNode = IndexNode | ManifestNode | OddNode;

export interface IndexNode {
  readonly kind: "index";
  readonly descriptor: Descriptor;
  readonly document: Index;
  readonly bytes: Uint8Array;
}

export interface ManifestNode {
  readonly kind: "manifest";
  readonly descriptor: Descriptor;
  readonly document: Manifest;
  readonly bytes: Uint8Array;
}

/**
 * - `missing`: the content store does not have it.
 * - `broken`: its bytes do not match the descriptor, or cannot be read as a document.
 * - `other`: its media type is neither an index nor a manifest, so it is not read.
 */
export interface OddNode {
  readonly kind: "missing" | "broken" | "other";
  readonly descriptor: Descriptor;
  readonly problem: ContainerdError;
}

/** Reads the documents of one image. Each document is read only once, even if it is listed several times. */
export interface ImageWalk {
  readonly target: Descriptor;
  /**
   * Reads one descriptor.
   *
   * @param depth the number of indexes above it.
   * @throws ImageLimitError; ContainerdError when the store fails. A problem with the document is not thrown:
   * it is in the result.
   */
  read(descriptor: Descriptor, depth: number): Promise<ImageNode>;
  /**
   * Reads the config of a manifest.
   *
   * @throws ContainerdError `not-found`, `invalid-argument`; ImageLimitError.
   */
  readConfig(manifest: Manifest): Promise<ImageConfig>;
  /**
   * All indexes, manifests and other entries, but not configs and layers. Each comes once: the target first,
   * then the entries one index deep, and so on.
   */
  nodes(): AsyncGenerator<ImageNode, void, undefined>;
}

/** Thrown when an image exceeds {@link IMAGE_LIMITS}. */
export class ImageLimitError extends ContainerdError {
  constructor(problem: string) {
    super(problem, { kind: "invalid-argument" });
  }
}

/**
 * Gives access to the documents of an image. All code that reads more than one of them uses this function.
 */
export function walkImage(content: Content, target: Descriptor, { signal }: CallOptions = {}): ImageWalk {
  const blobs = new Map<string, Uint8Array | ContainerdError>();
  const nodes = new Map<string, ImageNode>();
  const configs = new Map<string, ImageConfig>();
  const listed = new Set<string>();
  let totalBytes = 0;

  async function readBlob({ digest }: Descriptor): Promise<Uint8Array> {
    const known = blobs.get(digest);
    if (known instanceof ContainerdError) throw known;
    if (known !== undefined) return known;
    if (blobs.size >= IMAGE_LIMITS.documents) throw exceeded(target, "documents", IMAGE_LIMITS.documents);
    const bytes = await content
      .readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal })
      .catch((reason: unknown) => {
        if (isAboutDocument(reason)) blobs.set(digest, reason);
        throw reason;
      });
    totalBytes += bytes.byteLength;
    if (totalBytes > IMAGE_LIMITS.bytes) throw exceeded(target, "bytes of documents", IMAGE_LIMITS.bytes);
    blobs.set(digest, bytes);
    return bytes;
  }

  function list(digests: readonly string[]): void {
    for (const digest of digests) listed.add(digest);
    if (listed.size > IMAGE_LIMITS.entries) throw exceeded(target, "entries", IMAGE_LIMITS.entries);
  }

  async function parse(descriptor: Descriptor): Promise<ImageNode> {
    if (!isDocument(descriptor)) return { kind: "other", descriptor, problem: unknownType(descriptor) };
    try {
      const bytes = await readBlob(descriptor);
      const document = parseIndexOrManifest(descriptor, bytes);
      return isIndexDocument(document)
        ? { kind: "index", descriptor, document, bytes }
        : { kind: "manifest", descriptor, document, bytes };
    } catch (reason) {
      if (!isAboutDocument(reason)) throw reason;
      return { kind: reason.kind === "not-found" ? "missing" : "broken", descriptor, problem: reason };
    }
  }

  async function read(descriptor: Descriptor, depth: number): Promise<ImageNode> {
    if (depth > IMAGE_LIMITS.depth) {
      throw new ImageLimitError(
        `the image ${target.digest} nests its indexes too deeply, at ${descriptor.digest}; allowed: up to ${IMAGE_LIMITS.depth} levels`,
      );
    }
    const key = keyOf(descriptor);
    const known = nodes.get(key);
    if (known !== undefined) return { ...known, descriptor };
    const node = await parse(descriptor);
    if (node.kind === "index") list(node.document.manifests.map(({ digest }) => digest));
    if (node.kind === "manifest")
      list([node.document.config, ...node.document.layers].map(({ digest }) => digest));
    nodes.set(key, node);
    return node;
  }

  return {
    target,
    read,
    async readConfig({ config }) {
      const known = configs.get(config.digest);
      if (known !== undefined) return known;
      const parsed = parseImageConfig(config.digest, await readBlob(config));
      list(parsed.rootfs.diff_ids);
      configs.set(config.digest, parsed);
      return parsed;
    },
    async *nodes() {
      const seen = new Set<string>();
      let level: readonly Descriptor[] = [target];
      for (let depth = 0; level.length > 0; depth++) {
        const below = new Map<string, Descriptor>();
        for (const descriptor of level) {
          if (seen.has(keyOf(descriptor))) continue;
          seen.add(keyOf(descriptor));
          const node = await read(descriptor, depth);
          yield node;
          const children = node.kind === "index" ? node.document.manifests : [];
          for (const child of children) if (!below.has(keyOf(child))) below.set(keyOf(child), child);
        }
        level = [...below.values()];
      }
    },
  };
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isIndex(mediaType) || isManifest(mediaType);
}

/** The same bytes may be listed with several media types. They are then read once for each type. */
function keyOf({ mediaType, digest }: Descriptor): string {
  return `${digest} ${mediaType}`;
}

/** Whether a read failed because of the image's documents, and not because of the store or the connection. */
export function isAboutDocument(reason: unknown): reason is ContainerdError {
  return (
    reason instanceof ContainerdError &&
    !(reason instanceof ImageLimitError) &&
    ["not-found", "invalid-argument", "out-of-range"].includes(reason.kind)
  );
}

function unknownType({ digest, mediaType }: Descriptor): ContainerdError {
  const problem = isSchema1(mediaType)
    ? `${digest} is an image manifest of docker's retired schema 1; allowed: schema 2 and OCI; pull the image with a current tool and push it again`
    : `${digest} is not a container image: its media type is ${JSON.stringify(mediaType).slice(0, 160)}; allowed: an image manifest or index, of OCI or docker's schema 2`;
  return new ContainerdError(problem, { kind: "invalid-argument" });
}

function exceeded({ digest }: Descriptor, what: string, limit: number): ImageLimitError {
  return new ImageLimitError(`the image ${digest} has more than ${limit} ${what}; allowed: up to ${limit}`);
}
