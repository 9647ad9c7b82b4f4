import type { Client, ResolvedImage } from "@wfe-containerd/client";
import { KERNEL_DIRECTORIES } from "../core/policy/reserved-paths.js";
import { MAX_USER_FILE_BYTES } from "../core/user/user-files.js";

/** How many images the cache remembers. */
const MOST_IMAGES = 64;

/** Reads files of an image. The value is undefined for a file that the image does not have. */
export type ReadUserFiles = (
  client: Client,
  image: ResolvedImage,
  paths: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<ReadonlyMap<string, Uint8Array | undefined>>;

/**
 * Reads `/etc/passwd` and `/etc/group` once for each unpacked image, because each read costs the daemon a
 * snapshot. What a snapshotter has unpacked for a chain ID does not change. But two snapshotters, or two
 * daemons, may unpack an odd layer differently, so the cache keeps them apart.
 */
export function createUserFileCache(): ReadUserFiles {
  const known = new Map<string, ReadonlyMap<string, Uint8Array | undefined>>();
  return async (client, image, paths, signal) => {
    const { address, namespace, snapshotter } = client;
    const key = JSON.stringify([address, namespace, snapshotter, image.chainId]);
    const before = known.get(key) ?? new Map();
    const missing = paths.filter((path) => !before.has(path));
    const read =
      missing.length === 0
        ? new Map<string, Uint8Array>()
        : await client.images.readFiles(image, missing, {
            maxBytes: MAX_USER_FILE_BYTES,
            hiddenPaths: KERNEL_DIRECTORIES,
            signal,
          });
    const files = new Map([...before, ...missing.map((path) => [path, read.get(path)] as const)]);
    // Inserted last again: the first entry of the map is the one unused for longest.
    known.delete(key);
    known.set(key, files);
    const [oldest] = known.keys();
    if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    return files;
  };
}
