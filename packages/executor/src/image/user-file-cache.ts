import type { Client, ResolvedImage } from "@wfe-containerd/client";
import { KERNEL_DIRECTORIES } from "../core/policy/reserved-paths.js";
import { MAX_USER_FILE_BYTES } from "../core/user/user-files.js";

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
 * Reads the files that users are looked up in once for each unpacked image: it costs the daemon a snapshot. What a snapshotter has unpacked under a chain
 * ID does not change; two snapshotters, or two daemons, may unpack one odd layer in two ways.
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
    // The one that was used last is the last to go.
    known.delete(key);
    known.set(key, files);
    const [oldest] = known.keys();
    if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    return files;
  };
}
