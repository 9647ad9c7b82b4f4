import { Readable } from "node:stream";
import type { Content } from "../content/content.js";
import { type Descriptor, parseDescriptor } from "../oci/descriptor.js";
import { digestOf } from "../oci/digest.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import { refuse } from "../refuse.js";
import type { Archive, ArchiveBlob } from "./archive.js";

/** An image that an archive lists, with its names. */
export interface ArchivedImage {
  readonly target: Descriptor;
  /** Full or short references: `docker.io/library/alpine:3.20`, `small:1`. */
  readonly names: readonly string[];
  /** A tag without a name, `3.20`, as OCI layouts give one. */
  readonly tag?: string | undefined;
}

/**
 * Annotations with an image's name in an OCI layout. containerd's has the full name. OCI's may have only a
 * tag.
 */
const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/** The name that some versions of `docker save` write for an image without a tag. */
const UNTAGGED = "<none>:<none>";

/**
 * Finds the images of an archive. An OCI layout's index is preferred: newer archives of `docker save` have
 * both an index and a manifest.json.
 */
export async function findImages(
  content: Content,
  archive: Archive,
  refPrefix: string,
): Promise<ArchivedImage[]> {
  const index = archive.documents.get("index.json");
  if (index !== undefined) return findInLayout(index);
  const manifest = archive.documents.get("manifest.json");
  if (manifest === undefined) {
    refuse(
      "the archive contains no image",
      "an OCI layout with index.json, or an archive of docker save with manifest.json",
    );
  }
  const entries = parseDocument("manifest.json", manifest);
  if (!Array.isArray(entries)) refuse("manifest.json is not a list of images", "what docker save writes");
  const saved = entries.map(parseSavedImage);
  return Promise.all(
    saved.map((entry, at) =>
      writeManifest(content, archive, entry, { at, ref: `${refPrefix}-manifest-${at}` }),
    ),
  );
}

function findInLayout(bytes: Buffer): ArchivedImage[] {
  const { manifests } = parseDocument("index.json", bytes) as { manifests?: unknown };
  if (!Array.isArray(manifests)) refuse("index.json is not an index", "an object with a list of manifests");
  return manifests.map((entry, at) => {
    const target = parseDescriptor(`index.json: manifests[${at}]`, entry);
    const given = NAME_ANNOTATIONS.map((key) => target.annotations?.[key]).filter(
      (value) => value !== undefined && value !== "",
    ) as string[];
    const isReference = (value: string): boolean => /[/:@]/.test(value);
    return {
      target,
      names: given.filter(isReference).slice(0, 1),
      tag: given.find((value) => !isReference(value)),
    };
  });
}

/** An image in docker save's manifest.json. The paths are paths in the archive. */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/** Reads an entry of manifest.json. Go writes an empty list as `null`. */
function parseSavedImage(entry: unknown, at: number): SavedImage {
  const { Config, RepoTags, Layers } = (entry ?? {}) as Record<string, unknown>;
  const tags = RepoTags ?? [];
  const layers = Layers ?? [];
  if (typeof Config !== "string" || !isStrings(layers) || !isStrings(tags)) {
    refuse(
      `manifest.json: [${at}] is not an image`,
      "an object with the path Config and the lists RepoTags and Layers",
    );
  }
  return { Config, RepoTags: tags.filter((tag) => tag !== UNTAGGED && tag !== ""), Layers: layers };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function parseDocument(name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) ?? {};
  } catch (cause) {
    return refuse(`the archive's ${name} is not JSON`, "a JSON document", cause);
  }
}

const LAYER_TYPES = {
  none: MEDIA_TYPES.layer,
  gzip: MEDIA_TYPES.layerGzip,
  zstd: MEDIA_TYPES.layerZstd,
} as const;

/**
 * Makes the OCI manifest of an image, because docker save's archives have none, and writes it to the content
 * store.
 */
async function writeManifest(
  content: Content,
  { blobs }: Archive,
  entry: SavedImage,
  { at, ref }: { readonly at: number; readonly ref: string },
): Promise<ArchivedImage> {
  const blob = (path: string): ArchiveBlob =>
    blobs.get(path) ??
    refuse(`manifest.json: [${at}] names ${JSON.stringify(path)}, but the archive does not contain it`);
  const config = blob(entry.Config);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.config, digest: config.digest, size: config.size },
      layers: entry.Layers.map(blob).map(({ digest, size, compression }) => ({
        mediaType: LAYER_TYPES[compression],
        digest,
        size,
      })),
    }),
  );
  const written = await content.write(
    { ref, digest: digestOf(bytes), size: bytes.byteLength },
    Readable.from([bytes]),
  );
  return { names: entry.RepoTags, target: { mediaType: MEDIA_TYPES.manifest, ...written } };
}
