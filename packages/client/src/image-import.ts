import { createHash } from "node:crypto";
import { type CallOptions, call } from "./call.js";
import { type Content, createContent } from "./content.js";
import type { Context } from "./context.js";
import { ContainerdError, isContainerdError } from "./error.js";
import { type Archive, type ArchiveBlob, type ImportProgress, readArchive } from "./image-archive.js";
import type { Image } from "./image-record.js";
import { resolveTarget } from "./image-resolve.js";
import type { ImageParts } from "./image-store.js";
import { type Descriptor, parseDescriptor } from "./oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "./oci/manifest.js";
import { isIndex, isManifest, MEDIA_TYPES } from "./oci/media-type.js";
import type { Platform } from "./oci/platform.js";
import { normalizeReference } from "./oci/reference.js";
import { childLabels } from "./registry/label.js";
import { createSnapshots } from "./snapshot.js";
import { unpackImage } from "./unpack.js";
import { DEFAULT_MAX_UNPACKED_BYTES } from "./unpack-limit.js";
import { beginWork, type WorkLease } from "./work-lease.js";

export interface ImportOptions extends CallOptions {
  /** The image's name, for an archive that holds one image. Default: the names in the archive. */
  readonly name?: string;
  /** Unpack what is for the daemon's platform. Default `true`. */
  readonly unpack?: boolean;
  /** Bytes that the archive may hold once it is decompressed, and that its layers may take on the daemon's disk. Default 100 GiB. */
  readonly maxUnpackedBytes?: number;
  readonly onProgress?: (progress: ImportProgress) => void;
}

interface Importer extends ImageParts {
  readonly context: Context;
  put(name: string, target: Descriptor): Promise<Image>;
}

/** All or nothing: the names appear once everything is there; if anything fails, what came goes with the lease. */
export async function importImages(
  importer: Importer,
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions = {},
): Promise<Image[]> {
  return call("import images", async () => {
    await using work = await beginWork(importer, "import");
    try {
      return await bringIn(importer, work, source, options);
    } catch (reason) {
      // With the lease go the content, the snapshots, and the ingests that were not finished.
      await work.end({ sync: true });
      options.signal?.throwIfAborted();
      throw reason;
    }
  });
}

async function bringIn(
  { introspection, put }: Importer,
  { id: leaseId, context: leased }: WorkLease,
  source: AsyncIterable<Uint8Array>,
  { name, unpack = true, maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES, signal, onProgress }: ImportOptions,
): Promise<Image[]> {
  const fullName = name === undefined ? undefined : normalizeReference(name);
  const content = createContent(leased);
  const archive = await readArchive(content, leaseId, source, {
    maxBytes: maxUnpackedBytes,
    signal,
    onProgress,
  });
  const named = nameImages(await findImages(content, archive, leaseId), fullName);
  for (const { target } of named) await labelChildren(content, target, { isRequired: true, signal });
  const host = unpack ? await introspection.daemonPlatform({ signal }) : undefined;
  for (const { name: imageName, target } of host === undefined ? [] : named) {
    const image = await resolveTarget(content, imageName, target, host as Platform, { signal }).catch(
      (reason: unknown) => {
        // An archive may well be for another platform; whoever then runs it is told so.
        if (isContainerdError(reason, "not-found")) return undefined;
        throw reason;
      },
    );
    if (image === undefined) continue;
    await unpackImage({ context: leased, content, snapshots: createSnapshots(leased) }, image, {
      maxUnpackedBytes,
      signal,
      onLayer: ({ digest, size }, state) => onProgress?.({ what: digest, state, offset: size, total: size }),
    });
  }
  const images: Image[] = [];
  for (const { name: imageName, target } of named) images.push(await put(imageName, target));
  return images;
}

interface Found {
  readonly names: readonly string[];
  readonly target: Descriptor;
}

/** Annotations that carry an image's name in an OCI layout: containerd's full one, and OCI's, which may be a tag alone. */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/** An OCI layout's index is used where there is one; newer `docker save` archives hold both. */
async function findImages(content: Content, archive: Archive, refPrefix: string): Promise<Found[]> {
  const index = archive.documents.get("index.json");
  if (index !== undefined) {
    const { manifests } = parseDocument("index.json", index) as { manifests?: unknown };
    if (!Array.isArray(manifests)) refuse("index.json is no index; allowed: an object with manifests");
    return manifests.map((entry, at) => {
      const target = parseDescriptor(`index.json: manifests[${at}]`, entry);
      const names = NAME_ANNOTATIONS.map((key) => target.annotations?.[key]).filter(
        (value) => value !== undefined,
      );
      return { target, names: names.filter((value) => /[/:]/.test(value)).slice(0, 1) };
    });
  }
  const manifest = archive.documents.get("manifest.json");
  if (manifest === undefined) {
    throw new ContainerdError(
      "the archive holds no image; allowed: an OCI layout with index.json, or docker save's with manifest.json",
      { kind: "invalid-argument" },
    );
  }
  const entries = parseDocument("manifest.json", manifest);
  if (!Array.isArray(entries)) refuse("manifest.json is no list of images; allowed: what docker save writes");
  const saved = entries.map(parseSavedImage);
  return Promise.all(
    saved.map((entry, at) => writeManifest(content, archive, entry, `${refPrefix}-manifest-${at}`)),
  );
}

/** An image of docker save's manifest.json; the paths are those in the archive. */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

function parseSavedImage(entry: unknown, at: number): SavedImage {
  const { Config, RepoTags, Layers } = (entry ?? {}) as Record<string, unknown>;
  const tags = RepoTags ?? [];
  if (typeof Config !== "string" || !isStrings(Layers) || !isStrings(tags))
    refuse(`manifest.json: [${at}] is no image; allowed: an object with Config, RepoTags and Layers`);
  return { Config, RepoTags: tags, Layers };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function parseDocument(name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) ?? {};
  } catch (cause) {
    throw new ContainerdError(`the archive's ${name} is no JSON`, { kind: "invalid-argument", cause });
  }
}

function refuse(message: string): never {
  throw new ContainerdError(message, { kind: "invalid-argument" });
}

/** docker save's archives have no manifest in OCI's sense: it is made here. */
async function writeManifest(
  content: Content,
  { blobs }: Archive,
  entry: SavedImage,
  ref: string,
): Promise<Found> {
  const blob = (path: string): ArchiveBlob =>
    blobs.get(path) ??
    refuse(`manifest.json names ${JSON.stringify(path)}, and the archive does not hold it`);
  const config = blob(entry.Config);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.config, digest: config.digest, size: config.size },
      layers: entry.Layers.map(blob).map(({ digest, size, isGzip }) => ({
        mediaType: isGzip ? MEDIA_TYPES.layerGzip : MEDIA_TYPES.layer,
        digest,
        size,
      })),
    }),
  );
  const written = await content.write(
    { ref, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size: bytes.byteLength },
    once(bytes),
  );
  return { names: entry.RepoTags, target: { mediaType: MEDIA_TYPES.manifest, ...written } };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function nameImages(
  found: readonly Found[],
  name: string | undefined,
): { name: string; target: Descriptor }[] {
  if (name !== undefined) {
    const [only, ...others] = found;
    if (only !== undefined && others.length === 0) return [{ name, target: only.target }];
    throw new ContainerdError(
      `name: the archive holds ${found.length} images; allowed: a name only for an archive of one`,
      { kind: "invalid-argument" },
    );
  }
  const named = found.flatMap(({ names, target }) =>
    names.map((each) => ({ name: normalizeReference(each), target })),
  );
  const digests = new Map<string, string>();
  for (const { name: each, target } of named) {
    // Which of them wins would depend on who reads the archive.
    if ((digests.get(each) ?? target.digest) !== target.digest)
      refuse(`the archive gives the name ${each} to two images; allowed: each name once`);
    digests.set(each, target.digest);
  }
  if (named.length > 0) return [...new Map(named.map((each) => [each.name, each])).values()];
  throw new ContainerdError("name: the archive does not name its image; allowed: a name of your choice", {
    kind: "invalid-argument",
  });
}

/**
 * Labels each parent with its children, under the names that containerd's garbage collector follows. In an index some manifests may
 * be missing; a manifest must be whole.
 */
async function labelChildren(
  content: Content,
  target: Descriptor,
  options: { readonly isRequired: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { isRequired, signal } = options;
  const isHere = await has(content, target, options);
  if (!isHere && !isRequired) return;
  if (!isHere) refuse(`the archive does not hold ${target.digest}, which it refers to`);
  if (!isIndex(target.mediaType) && !isManifest(target.mediaType)) return;
  const bytes = await content.readAll(target.digest, { maxBytes: MAX_DOCUMENT_BYTES, signal });
  const document = parseIndexOrManifest(target, bytes);
  const isWhole = !isIndexDocument(document);
  const children = isWhole ? [document.config, ...document.layers] : document.manifests;
  for (const child of children) await labelChildren(content, child, { isRequired: isWhole, signal });
  await content.setLabels(target.digest, childLabels(document), { signal });
}

async function has(
  content: Content,
  { digest, size }: Descriptor,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  try {
    const info = await content.info(digest, { signal });
    if (info.size !== size) refuse(`${digest} has ${info.size} bytes, and its descriptor says ${size}`);
    return true;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return false;
    throw reason;
  }
}
