import type { Content } from "../content/content.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkSize } from "../oci/descriptor.js";
import { isImageManifest } from "../oci/manifest.js";
import { type Platform, rankPlatform } from "../oci/platform.js";
import { refuse } from "../refuse.js";
import { childLabels } from "./child-labels.js";
import { chooseManifest } from "./choose.js";
import type { ImageWalk, ManifestNode } from "./walk.js";

/**
 * Labels each document of an imported image with its children, for containerd's garbage collector, and checks
 * that the image is complete enough. An archive for one platform often has the index of all platforms, and
 * attestations without their blobs.
 *
 * @throws ContainerdError `invalid-argument` when the image for the host's platform is incomplete, or when no
 * image is complete.
 */
export async function labelImportedImage(
  content: Content,
  walk: ImageWalk,
  host: Platform,
  options: { readonly signal: AbortSignal | undefined },
): Promise<void> {
  /** Digest of an image's manifest -> a blob that is missing, or undefined. */
  const missingBlobs = new Map<string, string | undefined>();
  const listed = new Map<string, Descriptor>();
  let isTargetIndex = false;
  for await (const node of walk.nodes()) {
    const { descriptor } = node;
    const isTarget = descriptor.digest === walk.target.digest;
    if ("problem" in node) {
      if (node.kind === "broken") throw node.problem;
      const isStored = node.kind === "other" && (await has(content, descriptor, options));
      if (isTarget && !isStored) refuseIncomplete(descriptor.digest);
      continue;
    }
    checkSize(descriptor, node.bytes.byteLength, "invalid-argument");
    if (node.kind === "manifest") {
      const missing = await firstMissing(content, node, options);
      if (missing !== undefined && isTarget) refuseIncomplete(missing);
      if (isImageManifest(node.document)) missingBlobs.set(descriptor.digest, missing);
    } else {
      isTargetIndex ||= isTarget;
      for (const entry of node.document.manifests)
        if (!listed.has(entry.digest)) listed.set(entry.digest, entry);
    }
    await content.setLabels(descriptor.digest, childLabels(node.document), options);
  }
  if (isTargetIndex) await checkWhole(walk, host, missingBlobs, listed);
}

/**
 * Checks an index. Images for other platforms than the host's may be incomplete. Of those that the host can
 * run, the best one that has a manifest must be whole.
 */
async function checkWhole(
  walk: ImageWalk,
  host: Platform,
  missingBlobs: ReadonlyMap<string, string | undefined>,
  listed: ReadonlyMap<string, Descriptor>,
): Promise<void> {
  const chosen = await ignoreNotFound(chooseManifest(walk, host, walk.target.digest));
  const chosenRank = chosen && rankPlatform(host, chosen.platform);
  // Without its config a manifest is not chosen; then a worse one is, for example 386 on amd64.
  const isForHost = (digest: string): boolean => {
    if (digest === chosen?.descriptor.digest) return true;
    const platform = listed.get(digest)?.platform;
    const rank = platform && rankPlatform(host, platform);
    return rank !== undefined && (chosenRank === undefined || rank < chosenRank);
  };
  const incomplete = [...missingBlobs].filter((each): each is [string, string] => each[1] !== undefined);
  const own = incomplete.find(([digest]) => isForHost(digest));
  const [any] = incomplete.length === missingBlobs.size ? incomplete : [];
  const missing = (own ?? any)?.[1];
  if (missing !== undefined) refuseIncomplete(missing);
  const [first] = listed.keys();
  if (first !== undefined && missingBlobs.size === 0 && !(await containsAny(walk))) refuseIncomplete(first);
}

/**
 * Whether the content store has any entry of an index. To a registry artifacts are images too, and an index
 * may list only artifacts.
 */
async function containsAny(walk: ImageWalk): Promise<boolean> {
  for await (const { kind, descriptor } of walk.nodes())
    if (kind !== "missing" && descriptor.digest !== walk.target.digest) return true;
  return false;
}

async function firstMissing(
  content: Content,
  { document: { config, layers } }: ManifestNode,
  options: { readonly signal: AbortSignal | undefined },
): Promise<string | undefined> {
  let first: string | undefined;
  for (const blob of new Map(
    [config, ...layers].map((each) => [`${each.digest} ${each.size}`, each]),
  ).values())
    if (!(await has(content, blob, options))) first ??= blob.digest;
  return first;
}

/** Whether a manifest is a container image, or an index lists one. */
export async function containsImage(walk: ImageWalk): Promise<boolean> {
  for await (const node of walk.nodes())
    if (node.kind === "manifest" && isImageManifest(node.document)) return true;
  return false;
}

async function has(
  content: Content,
  descriptor: Descriptor,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const info = await ignoreNotFound(content.info(descriptor.digest, { signal }));
  if (info !== undefined) checkSize(descriptor, info.size, "invalid-argument");
  return info !== undefined;
}

function refuseIncomplete(digest: string): never {
  refuse(`the archive refers to ${digest}, but does not contain it`, "an archive with the whole image");
}
