import { randomUUID } from "node:crypto";
import type { CallOptions } from "./call.js";
import { type Content, createContent } from "./content.js";
import type { Context } from "./context.js";
import { ContainerdError, isContainerdError } from "./error.js";
import type { Image, ImageParts } from "./image.js";
import { type Archive, readArchive } from "./image-archive.js";
import { type ResolvedImage, resolveTarget } from "./image-resolve.js";
import { type Descriptor, parseDescriptor } from "./oci/descriptor.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseIndexOrManifest } from "./oci/manifest.js";
import { isIndex, isManifest, MEDIA_TYPES } from "./oci/media-type.js";
import { normalizeReference } from "./oci/reference.js";
import type { UnpackOptions } from "./unpack.js";

/** How far an import is. */
export interface ImportProgress {
  /** A blob's digest, or its name in the archive while its digest is not known. */
  readonly what: string;
  readonly state: "writing" | "done" | "unpacked" | "exists";
  /** Bytes. */
  readonly offset: number;
  readonly total: number;
}

export interface ImportOptions extends CallOptions {
  /** The image's name, for an archive that holds one image. Default: the names in the archive. */
  readonly name?: string;
  /** Unpack what is for the daemon's platform. Default `true`. */
  readonly unpack?: boolean;
  readonly onProgress?: (progress: ImportProgress) => void;
}

interface Importer extends ImageParts {
  readonly context: Context;
  put(name: string, target: Descriptor): Promise<Image>;
  unpack(image: ResolvedImage, options?: UnpackOptions): Promise<void>;
}

/** Longer than any import takes; what a client that died half-way has brought goes after it. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/** All or nothing: the names appear once everything is there; if anything fails, what came goes with the lease. */
export async function importImages(
  importer: Importer,
  source: AsyncIterable<Uint8Array>,
  { name, unpack = true, signal, onProgress }: ImportOptions = {},
): Promise<Image[]> {
  const fullName = name === undefined ? undefined : normalizeReference(name);
  await using lease = await importer.leases.create({ id: `import-${randomUUID()}`, expireMs: LEASE_MS });
  const leased = importer.context.withLease(lease.id);
  const content = createContent(leased);
  const archive = await readArchive(content, lease.id, source, { signal, onProgress });
  const named = nameImages(await findImages(content, archive), fullName);
  for (const { target } of named) await labelChildren(content, target, true);
  if (unpack) {
    const host = await importer.introspection.daemonPlatform({ signal });
    for (const { name: imageName, target } of named) {
      const image = await resolveTarget(content, imageName, target, host, { signal }).catch(
        (reason: unknown) => {
          // An archive may well be for another platform; whoever then runs it is told so.
          if (isContainerdError(reason, "not-found")) return undefined;
          throw reason;
        },
      );
      if (image === undefined) continue;
      await importer.unpack(image, {
        signal,
        onLayer: ({ digest, size }, state) =>
          onProgress?.({ what: digest, state, offset: size, total: size }),
      });
    }
  }
  const images: Image[] = [];
  for (const { name: imageName, target } of named) images.push(await importer.put(imageName, target));
  return images;
}

interface Found {
  readonly names: readonly string[];
  readonly target: Descriptor;
}

/** Annotations that carry an image's name in an OCI layout: containerd's full one, and OCI's, which may be a tag alone. */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/** An OCI layout's index is used where there is one; newer `docker save` archives hold both. */
async function findImages(content: Content, archive: Archive): Promise<Found[]> {
  const index = archive.documents.get("index.json");
  if (index !== undefined) {
    const { manifests } = JSON.parse(index.toString("utf8")) as { manifests?: unknown[] };
    return (manifests ?? []).map((entry, at) => {
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
  const entries = JSON.parse(manifest.toString("utf8")) as {
    Config: string;
    RepoTags?: string[] | null;
    Layers: string[];
  }[];
  return Promise.all(entries.map((entry) => writeManifest(content, archive, entry)));
}

/** docker save's archives have no manifest in OCI's sense: it is made here. */
async function writeManifest(
  content: Content,
  { blobs }: Archive,
  entry: { Config: string; RepoTags?: string[] | null; Layers: string[] },
): Promise<Found> {
  const blob = (path: string): { digest: string; size: number; isGzip: boolean } => {
    const found = blobs.get(path);
    if (found !== undefined) return found;
    throw new ContainerdError(
      `manifest.json names ${JSON.stringify(path)}, and the archive does not hold it`,
      { kind: "invalid-argument" },
    );
  };
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
    { ref: `import-manifest-${randomUUID()}`, size: bytes.byteLength },
    once(bytes),
  );
  return { names: entry.RepoTags ?? [], target: { mediaType: MEDIA_TYPES.manifest, ...written } };
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
  if (named.length > 0) return named;
  throw new ContainerdError("name: the archive does not name its image; allowed: a name of your choice", {
    kind: "invalid-argument",
  });
}

/**
 * Labels each parent with its children, under the names that containerd's garbage collector follows. In an index some manifests may
 * be missing; a manifest must be whole.
 */
async function labelChildren(content: Content, target: Descriptor, isRequired: boolean): Promise<void> {
  if (!isIndex(target.mediaType) && !isManifest(target.mediaType)) {
    if (isRequired) await content.info(target.digest);
    return;
  }
  let bytes: Uint8Array;
  try {
    bytes = await content.readAll(target.digest, { maxBytes: MAX_DOCUMENT_BYTES });
  } catch (reason) {
    if (!isRequired && isContainerdError(reason, "not-found")) return;
    throw reason;
  }
  const document = parseIndexOrManifest(target, bytes);
  const labels: Record<string, string> = {};
  if (isIndexDocument(document)) {
    for (const [at, child] of document.manifests.entries()) {
      labels[`containerd.io/gc.ref.content.m.${at}`] = child.digest;
      await labelChildren(content, child, false);
    }
  } else {
    labels["containerd.io/gc.ref.content.config"] = document.config.digest;
    for (const child of [document.config, ...document.layers]) await content.info(child.digest);
    for (const [at, layer] of document.layers.entries())
      labels[`containerd.io/gc.ref.content.l.${at}`] = layer.digest;
  }
  await content.setLabels(target.digest, labels);
}
