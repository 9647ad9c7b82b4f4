import { once } from "node:events";
import type { Client } from "@wfe-containerd/client";
import { KERNEL_DIRECTORIES } from "../core/policy/reserved-paths.js";
import { MAX_USER_FILE_BYTES } from "../core/user/user-files.js";
import type { StepImage } from "./step-image.js";

/** How many images the cache remembers. */
const MOST_IMAGES = 64;

/** Reads files of an image. The value is undefined for a file that the image does not have. */
export type ReadUserFiles = (
  client: Client,
  image: StepImage,
  paths: readonly string[],
  signal: AbortSignal | undefined,
) => Promise<ReadonlyMap<string, Uint8Array | undefined>>;

/**
 * Reads `/etc/passwd` and `/etc/group` once for each unpacked image, also for steps that start at once,
 * because each read costs the daemon a snapshot. The files that a snapshotter unpacked for a chain ID do not
 * change. But two snapshotters, or two daemons, may unpack an odd layer differently, so the cache keeps them
 * apart.
 */
export function createUserFileCache(): ReadUserFiles {
  const known = new Map<string, ReadonlyMap<string, Uint8Array | undefined>>();
  /** Reads in progress. Each resolves to whether it succeeded. */
  const underWay = new Map<string, Promise<boolean>>();

  async function read(
    key: string,
    { client, image, paths, signal }: Reading,
  ): Promise<ReadonlyMap<string, Uint8Array | undefined>> {
    const before = known.get(key) ?? new Map();
    const missing = paths.filter((path) => !before.has(path));
    const found =
      missing.length === 0
        ? new Map<string, Uint8Array>()
        : await client.images.readFiles(image, missing, {
            maxBytes: MAX_USER_FILE_BYTES,
            hiddenPaths: KERNEL_DIRECTORIES,
            signal,
          });
    const files = new Map([...before, ...missing.map((path) => [path, found.get(path)] as const)]);
    // Inserted last again: the first entry of the map is the one unused for longest.
    known.delete(key);
    known.set(key, files);
    const [oldest] = known.keys();
    if (known.size > MOST_IMAGES && oldest !== undefined) known.delete(oldest);
    return files;
  }

  return async (client, image, paths, signal) => {
    const { address, namespace, snapshotter } = client;
    const key = JSON.stringify([address, namespace, snapshotter, image.chainId]);
    // After a read that failed or was aborted, all that waited for it read at once. Otherwise they would wait
    // for each other while the daemon hangs.
    for (let other = underWay.get(key); other !== undefined; other = underWay.get(key))
      if (!(await unlessAborted(other, signal))) break;
    const reading = read(key, { client, image, paths, signal });
    const over = reading
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        if (underWay.get(key) === over) underWay.delete(key);
      });
    underWay.set(key, over);
    return reading;
  };
}

interface Reading {
  readonly client: Client;
  readonly image: StepImage;
  readonly paths: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** @throws the signal's reason. */
async function unlessAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waited;
  signal.throwIfAborted();
  const over = new AbortController();
  try {
    // It also rejects when the wait is over. Nobody needs that.
    const aborted = once(signal, "abort", { signal: over.signal });
    aborted.catch(() => undefined);
    await Promise.race([waited, aborted]);
    signal.throwIfAborted();
    return await waited;
  } finally {
    over.abort();
  }
}
