import type { Content } from "../content.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "../oci/manifest.js";
import { isNonDistributable } from "../oci/media-type.js";
import { formatPlatform, type Platform, rankPlatform } from "../oci/platform.js";
import { digestOf } from "./document.js";

/** A manifest or index, with what it needs. */
export interface ImagePart {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** Without layers that are not to be passed on. */
  readonly blobs: readonly Descriptor[];
}

/**
 * Gathers an image from the content store.
 *
 * @param platforms of an index: one as a manifest of its own, several as an index of them alone. Default: all.
 * @returns what the image is then, and its parts, children first.
 * @throws ContainerdError `failed-precondition` when a part is not here; `not-found` for a platform that the image is not for.
 */
export async function collectParts(
  content: Content,
  target: Descriptor,
  { platforms, signal }: { platforms?: readonly Platform[] | undefined; signal: AbortSignal },
): Promise<{ readonly target: Descriptor; readonly parts: readonly ImagePart[] }> {
  const parts: ImagePart[] = [];
  return { target: await collect(content, target, platforms, parts, signal), parts };
}

async function collect(
  content: Content,
  descriptor: Descriptor,
  platforms: readonly Platform[] | undefined,
  found: ImagePart[],
  signal: AbortSignal,
): Promise<Descriptor> {
  const bytes = await content
    .readAll(descriptor.digest, { maxBytes: MAX_DOCUMENT_BYTES, signal })
    .catch((reason: unknown) => {
      if (!isContainerdError(reason, "not-found")) throw reason;
      const { platform, digest } = descriptor;
      throw new ContainerdError(
        `${digest}${platform === undefined ? "" : `, for ${formatPlatform(platform)},`} is not here; allowed: platforms that are`,
        { kind: "failed-precondition", cause: reason },
      );
    });
  const document = parseIndexOrManifest(descriptor, bytes);
  if (!isIndexDocument(document)) {
    const layers = document.layers.filter(({ mediaType }) => !isNonDistributable(mediaType));
    found.push({ descriptor, bytes, blobs: [document.config, ...layers] });
    return descriptor;
  }
  const wanted =
    platforms === undefined
      ? document.manifests
      : platforms.map((platform) => pick(document.manifests, platform));
  for (const child of wanted) await collect(content, child, undefined, found, signal);
  if (platforms === undefined) {
    found.push({ descriptor, bytes, blobs: [] });
    return descriptor;
  }
  const [only] = wanted;
  return wanted.length === 1 && only !== undefined ? only : reduceIndex(descriptor, bytes, wanted, found);
}

function pick(manifests: readonly Descriptor[], platform: Platform): Descriptor {
  const offered = manifests.filter((each) => each.platform !== undefined);
  const exact = offered.find((each) => rankPlatform(platform, each.platform as Platform) === 0);
  if (exact !== undefined) return exact;
  throw new ContainerdError(
    `platforms: the image is not for ${formatPlatform(platform)}; allowed: ${offered.map((each) => formatPlatform(each.platform as Platform)).join(", ")}`,
    { kind: "not-found" },
  );
}

/** The same index with only these manifests: another document, with another digest. */
function reduceIndex(
  { mediaType }: Descriptor,
  bytes: Uint8Array,
  wanted: readonly Descriptor[],
  found: ImagePart[],
): Descriptor {
  const original = JSON.parse(Buffer.from(bytes).toString("utf8")) as { manifests: { digest: string }[] };
  const digests = new Set(wanted.map(({ digest }) => digest));
  const manifests = original.manifests.filter(({ digest }) => digests.has(digest));
  const reduced = Buffer.from(JSON.stringify({ ...original, manifests }));
  const descriptor = { mediaType, digest: digestOf("sha256:", reduced), size: reduced.byteLength };
  found.push({ descriptor, bytes: reduced, blobs: [] });
  return descriptor;
}
