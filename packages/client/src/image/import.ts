import { type CallOptions, callService } from "../call.js";
import { createContent } from "../content/content.js";
import type { Context } from "../context.js";
import { ignoreNotFound } from "../ignore-not-found.js";
import { beginWork, deleteStaleWork, type WorkLease } from "../lease/work-lease.js";
import type { Descriptor } from "../oci/descriptor.js";
import type { Platform } from "../oci/platform.js";
import { normalizeReference } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import { createSnapshots } from "../snapshot.js";
import { type ImportProgress, readArchive } from "./archive.js";
import { findImages } from "./archive-images.js";
import { checkBaseName, type NamingOptions, nameImages } from "./archive-names.js";
import { containsImage, labelImportedImage } from "./imported-image.js";
import type { Image } from "./record.js";
import { type ResolvedImage, resolveTarget } from "./resolve.js";
import type { ImageParts } from "./store.js";
import { unpackImage } from "./unpack.js";
import { DEFAULT_MAX_UNPACKED_BYTES } from "./unpack-limit.js";
import { type ImageWalk, walkImage } from "./walk.js";

/** Options of `Images.import`. */
export interface ImportOptions extends CallOptions {
  /**
   * The image's name, for an archive with one image.
   *
   * @default the names in the archive
   */
  readonly name?: string | undefined;
  /**
   * The name to put before each tag that an OCI layout gives without a name. With `registry.example.com/app`,
   * the tag `1.0` becomes `registry.example.com/app:1.0`. Images with a full name in the archive keep it.
   */
  readonly baseName?: string | undefined;
  /**
   * Unpack the image for the daemon's platform.
   *
   * @default true
   */
  readonly unpack?: boolean | undefined;
  /**
   * Largest size in bytes of the decompressed archive, and of the unpacked layers on the daemon's disk.
   *
   * @default 100 GiB
   */
  readonly maxUnpackedBytes?: number | undefined;
  /** Called with the progress of the archive and of each layer. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
}

interface Importer extends ImageParts {
  readonly context: Context;
  put(name: string, target: Descriptor): Promise<Image>;
}

/**
 * Imports all images or none. Names are recorded only after everything is in the content store. If anything
 * fails, deleting the lease removes what was imported.
 */
export async function importImages(
  importer: Importer,
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions = {},
): Promise<Image[]> {
  return callService("import images", async () => {
    await deleteStaleWork(importer, { signal: options.signal });
    await using work = await beginWork(importer, "import");
    try {
      return await importArchive(importer, work, source, options);
    } catch (reason) {
      // Deleting the lease also removes its content, snapshots and unfinished ingests.
      await work.end({ sync: true });
      options.signal?.throwIfAborted();
      throw reason;
    }
  });
}

async function importArchive(
  { introspection, put }: Importer,
  { id: leaseId, context: leased }: WorkLease,
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<Image[]> {
  const { unpack = true, maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES, signal, onProgress } = options;
  const naming = checkNames(options);
  const content = createContent(leased);
  const archive = await readArchive(content, leaseId, source, {
    maxBytes: maxUnpackedBytes,
    signal,
    onProgress,
  });
  const walks = new Map<string, ImageWalk>();
  const walkOf = (target: Descriptor): ImageWalk => {
    const walk = walks.get(target.digest) ?? walkImage(content, target, { signal });
    walks.set(target.digest, walk);
    return walk;
  };
  const found = await findImages(content, archive, leaseId);
  const named = await nameImages(found, naming, (target) => containsImage(walkOf(target)));
  const host = await introspection.daemonPlatform({ signal });
  const unique = new Map(named.map((each) => [each.target.digest, each]));
  for (const { target } of unique.values())
    await labelImportedImage(content, walkOf(target), host, { signal });
  for (const { name, target } of unpack ? unique.values() : []) {
    const image = await resolveForHost(walkOf(target), name, host);
    if (image === undefined) continue;
    await unpackImage({ context: leased, content, snapshots: createSnapshots(leased) }, image, {
      maxUnpackedBytes,
      signal,
      onLayer: ({ digest, size }, state) => onProgress?.({ what: digest, state, offset: size, total: size }),
    });
  }
  const images: Image[] = [];
  for (const { name, target } of named) images.push(await put(name, target));
  return images;
}

function checkNames({ name, baseName }: ImportOptions): NamingOptions {
  if (name !== undefined && baseName !== undefined) {
    refuse("name and baseName are both given", "one of them");
  }
  return {
    name: name === undefined ? undefined : normalizeReference(name),
    baseName: baseName === undefined ? undefined : checkBaseName(baseName),
  };
}

/**
 * Undefined for an artifact, or for an image of another platform. Running such an image fails later with a
 * message.
 */
async function resolveForHost(
  walk: ImageWalk,
  name: string,
  host: Platform,
): Promise<ResolvedImage | undefined> {
  if (!(await containsImage(walk))) return undefined;
  return ignoreNotFound(resolveTarget(walk, name, host));
}
