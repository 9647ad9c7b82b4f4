import type { CallOptions } from "./call.js";
import type { Content } from "./content.js";
import { ContainerdError, isContainerdError } from "./error.js";
import { chainId } from "./oci/chain-id.js";
import type { Descriptor } from "./oci/descriptor.js";
import {
  type ImageConfig,
  isIndexDocument,
  MAX_DOCUMENT_BYTES,
  type Manifest,
  parseImageConfig,
  parseIndexOrManifest,
} from "./oci/manifest.js";
import { isLayer } from "./oci/media-type.js";
import { formatPlatform, type Platform, rankPlatform } from "./oci/platform.js";

/** An image, narrowed to one platform. */
export interface ResolvedImage {
  readonly name: string;
  /** What the name points at: an index, or a manifest. */
  readonly target: Descriptor;
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** What else the manifest lists among its layers, and nobody unpacks: signatures, attestations. */
  readonly artifacts: readonly Descriptor[];
  readonly configDescriptor: Descriptor;
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** The parent of a container's snapshot; empty for an image without layers. */
  readonly chainId: string;
}

/** An index may hold indexes; nobody needs more than these. */
export const MAX_INDEX_DEPTH = 4;

/**
 * Follows a descriptor in the content store to the manifest that suits a host best, and its config. What an index says of a manifest's platform counts, as
 * it does for containerd, whatever the manifest's config says. Where there is no index, the config's word does: a manifest for another platform is refused
 * here, which containerd 1.6 pulls, to fail with an exec format error.
 *
 * @throws ContainerdError `not-found` that names both platforms.
 */
export async function resolveTarget(
  content: Content,
  name: string,
  target: Descriptor,
  host: Platform,
  options: CallOptions = {},
): Promise<ResolvedImage> {
  const offered: string[] = [];
  const found = await bestManifest(content, target, host, { ...options, offered, depth: 0 });
  if (found === undefined) {
    throw new ContainerdError(
      `image ${name} is not for ${formatPlatform(host)}; it is for: ${[...new Set(offered)].join(", ") || "nothing that is here"}`,
      { kind: "not-found" },
    );
  }
  const { descriptor, document, config } = found;
  const { os, architecture, variant } = descriptor.platform ?? config;
  const layers = document.layers.filter(({ mediaType }) => isLayer(mediaType));
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length) {
    throw new ContainerdError(
      `image ${name} has ${layers.length} layers, and its config lists ${diffIds.length}`,
      { kind: "invalid-argument" },
    );
  }
  return {
    name,
    target,
    manifest: descriptor,
    layers,
    artifacts: document.layers.filter(({ mediaType }) => !isLayer(mediaType)),
    configDescriptor: document.config,
    config,
    platform: { os, architecture, variant },
    diffIds,
    chainId: chainId(diffIds),
  };
}

interface Candidate {
  readonly descriptor: Descriptor;
  readonly document: Manifest;
  readonly config: ImageConfig;
}

interface Search extends CallOptions {
  readonly depth: number;
  /** The platforms that were seen, for the error. */
  readonly offered: string[];
}

async function bestManifest(
  content: Content,
  descriptor: Descriptor,
  host: Platform,
  search: Search,
): Promise<Candidate | undefined> {
  if (search.depth > MAX_INDEX_DEPTH) {
    throw new ContainerdError(`index ${descriptor.digest} lies more than ${MAX_INDEX_DEPTH} indexes deep`, {
      kind: "invalid-argument",
    });
  }
  const document = parseIndexOrManifest(descriptor, await readDocument(content, descriptor, search));
  if (!isIndexDocument(document)) {
    const config = parseImageConfig(
      document.config.digest,
      await readDocument(content, document.config, search),
    );
    if (rankPlatform(host, descriptor.platform ?? config) === undefined) {
      search.offered.push(formatPlatform(config));
      return undefined;
    }
    return { descriptor, document, config };
  }
  for (const entry of byRank(document.manifests, host, search.offered)) {
    const found = await bestManifest(content, entry, host, { ...search, depth: search.depth + 1 }).catch(
      (reason: unknown) => {
        // Of an index for many platforms, often only one was brought here.
        if (isContainerdError(reason, "not-found")) return undefined;
        throw reason;
      },
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Best first. Entries that do not say their platform come last: their config will. */
function byRank(entries: readonly Descriptor[], host: Platform, offered: string[]): Descriptor[] {
  const ranked: { entry: Descriptor; rank: number }[] = [];
  for (const entry of entries) {
    const { platform } = entry;
    const rank = platform === undefined ? Number.MAX_SAFE_INTEGER : rankPlatform(host, platform);
    if (rank !== undefined) ranked.push({ entry, rank });
    else if (platform !== undefined) offered.push(formatPlatform(platform));
  }
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ entry }) => entry);
}

async function readDocument(
  content: Content,
  { digest }: Descriptor,
  { signal }: CallOptions,
): Promise<Uint8Array> {
  return content.readAll(digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
}
