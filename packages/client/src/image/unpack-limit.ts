import { ContainerdError } from "../error.js";
import type { Snapshots } from "../snapshot.js";

/** What an image may unpack to where nobody says otherwise: more than any honest one. */
export const DEFAULT_MAX_UNPACKED_BYTES = 100 * 1024 ** 3;

/** Asking makes the daemon walk through what is unpacked: not too often. */
const INTERVAL_MS = 1_000;

/**
 * Keeps a layer that is being unpacked from filling the daemon's disk: nothing about it tells beforehand how large it will be.
 *
 * @param key the snapshot that grows.
 * @param maxBytes what it may hold on the disk.
 * @param unpack is told by a signal when it has to stop.
 * @throws ContainerdError `resource-exhausted` when it holds more.
 */
export async function withinLimit<T>(
  { snapshots, key, maxBytes }: { snapshots: Snapshots; key: string; maxBytes: number },
  unpack: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooLarge = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  function watch(): void {
    timer = setTimeout(async () => {
      // A snapshot that changes under the walk can make it fail, and the next one will not.
      const usage = await snapshots.usage(key).catch(() => undefined);
      if (usage !== undefined && usage.sizeBytes > maxBytes) tooLarge.abort();
      else if (timer !== undefined) watch();
    }, INTERVAL_MS);
  }

  watch();
  try {
    return await unpack(tooLarge.signal);
  } catch (reason) {
    if (tooLarge.signal.aborted) throw exceeded(reason);
    throw reason;
  } finally {
    clearTimeout(timer);
    timer = undefined;
  }
}

export function exceeded(cause?: unknown): ContainerdError {
  return new ContainerdError(
    "the image unpacks to more bytes than it may; allowed: what maxUnpackedBytes says",
    {
      kind: "resource-exhausted",
      cause,
    },
  );
}

/** Hands bytes on, up to so many. @throws ContainerdError `resource-exhausted` when there are more. */
export async function* atMost(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > maxBytes) throw exceeded();
    yield chunk;
  }
}
