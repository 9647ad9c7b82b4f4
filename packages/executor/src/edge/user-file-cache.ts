import type { Client, ResolvedImage } from "@wfe-containerd/client";
import { MAX_USER_FILE_BYTES } from "../core/user-files.js";

/** Images whose files are kept. */
const MOST_IMAGES = 64;

/** These files of an image, as bytes; undefined for what the image does not have. */
export type ReadUserFiles = (
  client: Client,
  image: ResolvedImage,
  paths: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<ReadonlyMap<string, Uint8Array | undefined>>;

/**
 * Reads the files that users are looked up in once for each image: they are in layers, which have to be unpacked as far as it takes. A manifest's digest
 * names the same files for ever, on any daemon.
 */
export function createUserFileCache(): ReadUserFiles {
  const known = new Map<string, ReadonlyMap<string, Uint8Array | undefined>>();
  return async (client, image, paths, signal) => {
    const { digest } = image.manifest;
    const before = known.get(digest) ?? new Map();
    const missing = paths.filter((path) => !before.has(path));
    const read =
      missing.length === 0
        ? new Map<string, Uint8Array>()
        : await client.images.readFiles(image, missing, { maxBytes: MAX_USER_FILE_BYTES, signal });
    const files = new Map([...before, ...missing.map((path) => [path, read.get(path)] as const)]);
    // The one that was used last is the last to go.
    known.delete(digest);
    known.set(digest, files);
    const [oldest] = known.keys();
    if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    return files;
  };
}
