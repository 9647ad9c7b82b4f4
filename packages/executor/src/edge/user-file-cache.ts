import type { Client, ResolvedImage } from "@wfe-containerd/client";
import { MAX_USER_FILE_BYTES } from "../core/user-files.js";

/** Where users are looked up. */
const PATHS = ["/etc/passwd", "/etc/group"] as const;
/** Images whose files are kept. */
const MOST_IMAGES = 64;

/** The files of an image that users are looked up in; what the image does not have is left out. */
export type ReadUserFiles = (
  client: Client,
  image: ResolvedImage,
  signal: AbortSignal | undefined,
) => Promise<ReadonlyMap<string, Uint8Array>>;

/**
 * Reads the files once for each image: they are in layers, which have to be unpacked as far as it takes. A manifest's digest names the same files for ever,
 * on any daemon.
 */
export function createUserFileCache(): ReadUserFiles {
  const known = new Map<string, ReadonlyMap<string, Uint8Array>>();
  return async (client, image, signal) => {
    const { digest } = image.manifest;
    const found =
      known.get(digest) ??
      (await client.images.readFiles(image, PATHS, { maxBytes: MAX_USER_FILE_BYTES, signal }));
    // The one that was used last is the last to go.
    known.delete(digest);
    known.set(digest, found);
    const [oldest] = known.keys();
    if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    return found;
  };
}
