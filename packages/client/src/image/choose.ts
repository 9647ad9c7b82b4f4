import { ContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { type ImageConfig, isImageManifest, type Manifest } from "../oci/manifest.js";
import { formatPlatform, type Platform, rankPlatform } from "../oci/platform.js";
import { refuse } from "../refuse.js";
import {
  type ImageNode,
  type ImageWalk,
  type IndexNode,
  isAboutDocument,
  type ManifestNode,
} from "./walk.js";

/** The manifest that is chosen for a platform. */
export interface ChosenManifest extends ManifestNode {
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** The indexes that lead to it, the target first. Empty if the target is the manifest. */
  readonly path: readonly IndexNode[];
}

interface Candidate {
  readonly descriptor: Descriptor;
  readonly path: readonly IndexNode[];
  /**
   * How well it matches, see `rankPlatform`. If its platform is not named, this is the best rank that it can
   * have.
   */
  readonly rank: number;
  readonly isNamed: boolean;
  /** Set once its platform is known and its documents have been read. */
  readonly found?: ChosenManifest;
}

/**
 * The rank of an image without os or architecture. Like containerd, we take it for an image of the host's
 * platform, but only if no other image matches.
 */
const UNNAMED_RANK = Number.MAX_SAFE_INTEGER;

/**
 * Chooses the manifest for a platform. Running, exporting and pushing all use this function. It takes the
 * best match of everything that an index lists, including the indexes in it. The order is that of `Only` of
 * containerd's package `platforms`: for example, an arm/v7 host takes arm/v6 if there is no arm/v7.
 *
 * The platform in an index counts, whatever the manifest's config says. If the index names no platform, the
 * config decides. Entries that are not images, or not in the content store, are skipped.
 *
 * @param name the image's name, for error messages.
 * @throws ContainerdError `not-found` that names both platforms; `invalid-argument` when the target is not an
 * image.
 */
export async function chooseManifest(walk: ImageWalk, host: Platform, name: string): Promise<ChosenManifest> {
  const rejected: Rejected = { platforms: new Set(), missing: [], odd: [] };
  const seen = new Set<string>();
  let queue: Candidate[] = [{ descriptor: walk.target, path: [], rank: 0, isNamed: false }];
  for (;;) {
    const next = queue.shift();
    if (next === undefined) throw noneFor(name, host, rejected);
    if (next.found !== undefined) return next.found;
    const node = await walk.read(next.descriptor, next.path.length);
    if (node.kind === "index") {
      const path = [...next.path, node];
      const below = candidates(node, path, host, rejected).filter((each) => isNew(seen, each));
      queue = [...queue, ...below].toSorted(bestFirst);
    } else {
      const found = await lookAt(walk, node, next, { name, host, rejected });
      if (found !== undefined) queue = [...queue, found].toSorted(bestFirst);
    }
  }
}

/**
 * Checks a list of platforms.
 *
 * @throws ContainerdError `invalid-argument` for an empty list: it would choose nothing.
 */
export function checkPlatforms(platforms: readonly Platform[]): void {
  if (platforms.length > 0) return;
  refuse("platforms: is empty", "at least one platform, for example linux/arm64");
}

/** The entries that were skipped. They explain why nothing was found. */
interface Rejected {
  readonly platforms: Set<string>;
  readonly missing: { readonly problem: ContainerdError; readonly isNamed: boolean }[];
  readonly odd: ContainerdError[];
}

/**
 * Orders candidates, the best first. If two are equal, the one whose index names its platform comes first,
 * then the one that is listed first.
 */
function bestFirst(a: Candidate, b: Candidate): number {
  return (
    a.rank - b.rank ||
    Number(b.isNamed) - Number(a.isNamed) ||
    Number(b.found !== undefined) - Number(a.found !== undefined)
  );
}

function candidates(
  { document }: IndexNode,
  path: readonly IndexNode[],
  host: Platform,
  rejected: Rejected,
): Candidate[] {
  return document.manifests.flatMap((descriptor): Candidate[] => {
    const { platform } = descriptor;
    if (platform === undefined) return [{ descriptor, path, rank: 0, isNamed: false }];
    const rank = rankPlatform(host, platform);
    if (rank !== undefined) return [{ descriptor, path, rank, isNamed: true }];
    if (!isNoPlatform(platform)) rejected.platforms.add(formatPlatform(platform));
    return [];
  });
}

function isNew(seen: Set<string>, { descriptor: { digest, mediaType, platform } }: Candidate): boolean {
  const key = `${digest} ${mediaType} ${platform === undefined ? "" : formatPlatform(platform)}`;
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

/**
 * Reads a candidate's documents. Undefined if it is skipped. A broken entry is an error only if its index
 * says that it is for this platform.
 */
async function lookAt(
  walk: ImageWalk,
  node: Exclude<ImageNode, IndexNode>,
  { descriptor, path, rank, isNamed }: Candidate,
  { name, host, rejected }: { name: string; host: Platform; rejected: Rejected },
): Promise<Candidate | undefined> {
  const isTarget = path.length === 0;
  try {
    if (node.kind !== "manifest") throw node.problem;
    const { document } = node;
    if (!isImageManifest(document)) throw notAnImage(descriptor, document);
    const config = await walk.readConfig(document);
    const found = { ...node, config, path, platform: platformOf(descriptor, config, host) };
    const own = isNamed ? rank : rankConfig(host, config);
    if (own !== undefined) return { descriptor, path, rank: own, isNamed, found };
    if (!isNoPlatform(found.platform)) rejected.platforms.add(formatPlatform(found.platform));
  } catch (reason) {
    if (!isAboutDocument(reason)) throw reason;
    if (isTarget) throw unusable(name, reason);
    if (reason.kind === "not-found") rejected.missing.push({ problem: reason, isNamed });
    else if (isNamed && node.kind !== "other" && !(reason instanceof NotAnImageError)) throw reason;
    else rejected.odd.push(reason);
  }
  return undefined;
}

/** The platform of a manifest: its index decides, else its config, else the host's platform is used. */
export function platformOf({ platform }: Descriptor, config: ImageConfig, host: Platform): Platform {
  const { os = host.os, architecture } = config;
  const own =
    architecture === undefined
      ? { os, architecture: host.architecture, variant: host.variant }
      : { os, architecture, variant: config.variant };
  const { os: named, architecture: machine, variant } = platform ?? own;
  return { os: named, architecture: machine, variant };
}

function rankConfig(host: Platform, config: ImageConfig): number | undefined {
  const rank = rankPlatform(host, platformOf(NAMELESS, config, host));
  const isNamed = config.os !== undefined && config.architecture !== undefined;
  return rank === undefined || isNamed ? rank : UNNAMED_RANK;
}

const NAMELESS: Descriptor = { mediaType: "", digest: "", size: 0 };

/** Whether the platform is `unknown/unknown`. Builders give it to attestations, which are for no platform. */
export function isNoPlatform({ os }: Platform): boolean {
  return os === "unknown";
}

/** An artifact that is stored like an image: a chart, a signature, an attestation. */
class NotAnImageError extends ContainerdError {}

export function notAnImage({ digest }: Descriptor, { config }: Manifest): ContainerdError {
  const mediaType = JSON.stringify(config.mediaType).slice(0, 160);
  return new NotAnImageError(
    `${digest} is an artifact, not a container image: the layers do not contain files, and the config has the media type ${mediaType}; allowed: an image`,
    { kind: "invalid-argument" },
  );
}

function unusable(name: string, { message, kind, cause }: ContainerdError): ContainerdError {
  return new ContainerdError(`image ${name}: ${message}`, { kind, cause });
}

function noneFor(name: string, host: Platform, { platforms, missing, odd }: Rejected): ContainerdError {
  const platform = formatPlatform(host);
  const [absent] = missing.toSorted((a, b) => Number(b.isNamed) - Number(a.isNamed));
  if (absent !== undefined && (absent.isNamed || platforms.size === 0)) {
    return new ContainerdError(
      `image ${name} is incomplete for ${platform}: ${absent.problem.message}; allowed: an image that was pulled or imported for this platform`,
      { kind: "not-found", cause: absent.problem },
    );
  }
  const [first] = odd;
  if (platforms.size === 0 && first !== undefined) {
    return new ContainerdError(`image ${name} lists no container image: ${first.message}`, {
      kind: "not-found",
      cause: first,
    });
  }
  const others = platforms.size === 0 ? "nothing, its index is empty" : [...platforms].join(", ");
  return new ContainerdError(`image ${name} is not for ${platform}; it is for: ${others}`, {
    kind: "not-found",
  });
}
