import { ContainerdError } from "../error.js";
import type { Snapshots } from "../snapshot.js";

/** Default limit for an unpacked image. No honest image is larger. */
export const DEFAULT_MAX_UNPACKED_BYTES = 100 * 1024 ** 3;

/** To answer, the daemon walks through all unpacked files, so we do not ask often. */
const INTERVAL_MS = 1_000;

/**
 * Stops an unpack that would fill the daemon's disk. The unpacked size of a layer cannot be known beforehand.
 *
 * @param key the snapshot that grows.
 * @param maxBytes limit for the snapshot's size on disk.
 * @param unpack gets a signal that is aborted at the limit.
 * @throws ContainerdError `resource-exhausted` when the snapshot exceeds the limit.
 */
export async function withSizeLimit<T>(
  { snapshots, key, maxBytes }: { snapshots: Snapshots; key: string; maxBytes: number },
  unpack: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooLarge = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  function watch(): void {
    timer = setTimeout(async () => {
      // The walk can fail because the snapshot changes meanwhile. The next one will work.
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
  return new ContainerdError("the image is too large when unpacked; allowed: up to maxUnpackedBytes", {
    kind: "resource-exhausted",
    cause,
  });
}

/**
 * Passes at most `maxBytes` bytes on.
 *
 * @throws ContainerdError `resource-exhausted` when there are more.
 */
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
