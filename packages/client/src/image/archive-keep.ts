import type { Content } from "../content/content.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { isImageManifest } from "../oci/manifest.js";
import { type Platform, rankPlatform } from "../oci/platform.js";
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
export async function keepImage(
  content: Content,
  walk: ImageWalk,
  host: Platform,
  options: { readonly signal: AbortSignal | undefined },
): Promise<void> {
  /** Digest of an image's manifest -> a blob that is missing, or undefined. */
  const lacking = new Map<string, string | undefined>();
  const listed = new Map<string, Descriptor>();
  let isTargetIndex = false;
  for await (const node of walk.nodes()) {
    const { descriptor } = node;
    const isTarget = descriptor.digest === walk.target.digest;
    if ("problem" in node) {
      if (node.kind === "broken") throw node.problem;
      const isHere = node.kind === "other" && (await has(content, descriptor, options));
      if (isTarget && !isHere) refuse(descriptor.digest);
      continue;
    }
    checkSize(descriptor, node.bytes.byteLength);
    if (node.kind === "manifest") {
      const lack = await firstLacking(content, node, options);
      if (lack !== undefined && isTarget) refuse(lack);
      if (isImageManifest(node.document)) lacking.set(descriptor.digest, lack);
    } else {
      isTargetIndex ||= isTarget;
      for (const entry of node.document.manifests)
        if (!listed.has(entry.digest)) listed.set(entry.digest, entry);
    }
    await content.setLabels(descriptor.digest, childLabels(node.document), options);
  }
  if (isTargetIndex) await checkWhole(walk, host, lacking, listed);
}

/**
 * Checks an index. Images for other platforms than the host's may be incomplete. Of those that the host can
 * run, the best one that has a manifest must be whole.
 */
async function checkWhole(
  walk: ImageWalk,
  host: Platform,
  lacking: ReadonlyMap<string, string | undefined>,
  listed: ReadonlyMap<string, Descriptor>,
): Promise<void> {
  const chosen = await chooseManifest(walk, host, walk.target.digest).catch((reason: unknown) => {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  });
  const chosenRank = chosen && rankPlatform(host, chosen.platform);
  // Without its config a manifest is not chosen; then a worse one is, for example 386 on amd64.
  const isForHost = (digest: string): boolean => {
    if (digest === chosen?.descriptor.digest) return true;
    const platform = listed.get(digest)?.platform;
    const rank = platform && rankPlatform(host, platform);
    return rank !== undefined && (chosenRank === undefined || rank < chosenRank);
  };
  const incomplete = [...lacking].filter((each): each is [string, string] => each[1] !== undefined);
  const own = incomplete.find(([digest]) => isForHost(digest));
  const [any] = incomplete.length === lacking.size ? incomplete : [];
  const lack = (own ?? any)?.[1];
  if (lack !== undefined) refuse(lack);
  const [first] = listed.keys();
  if (first !== undefined && lacking.size === 0 && !(await holdsAny(walk))) refuse(first);
}

/**
 * Whether the content store has any entry of an index. To a registry artifacts are images too, and an index
 * may list only artifacts.
 */
async function holdsAny(walk: ImageWalk): Promise<boolean> {
  for await (const { kind, descriptor } of walk.nodes())
    if (kind !== "missing" && descriptor.digest !== walk.target.digest) return true;
  return false;
}

async function firstLacking(
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
export async function holdsImage(walk: ImageWalk): Promise<boolean> {
  for await (const node of walk.nodes())
    if (node.kind === "manifest" && isImageManifest(node.document)) return true;
  return false;
}

async function has(
  content: Content,
  descriptor: Descriptor,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  try {
    checkSize(descriptor, (await content.info(descriptor.digest, { signal })).size);
    return true;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return false;
    throw reason;
  }
}

function checkSize({ digest, size }: Descriptor, actual: number): void {
  if (actual === size) return;
  throw new ContainerdError(`${digest} has ${actual} bytes, and its descriptor says ${size}`, {
    kind: "invalid-argument",
  });
}

function refuse(digest: string): never {
  throw new ContainerdError(
    `the archive does not hold ${digest}, which it refers to; allowed: an archive with the whole image`,
    { kind: "invalid-argument" },
  );
}
