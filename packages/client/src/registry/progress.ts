import type { Clock } from "../concurrency/clock.js";
import type { Descriptor } from "../oci/descriptor.js";

/** How far one blob of an image is. */
export interface TransferProgress {
  /** The blob's digest; of what is asked for by a tag, the image's name in full. */
  readonly what: string;
  /**
   * `waiting` for its turn, or for somebody else who brings the same; `done` is brought here, and a layer unpacked; `exists` was there. For a push
   * `pushing`, and `mounted` when the registry had it in another repository. `retrying` when the registry failed and is asked again after a wait: see
   * `retry`.
   */
  readonly state:
    | "waiting"
    | "fetching"
    | "unpacking"
    | "pushing"
    | "mounted"
    | "retrying"
    | "done"
    | "exists";
  /** Bytes. */
  readonly offset: number;
  readonly total: number;
  /** Bytes per second, smoothed; 0 when nothing is being moved. */
  readonly bytesPerSecond: number;
  /** With the state `retrying`: why, and when. */
  readonly retry?: TransferRetry | undefined;
}

export interface TransferRetry {
  /** What went wrong, for a person. */
  readonly reason: string;
  /** Milliseconds until the registry is asked again. */
  readonly delayMs: number;
  /** How many attempts have failed since the last one that brought something. */
  readonly failures: number;
}

export interface ProgressReporter {
  report(blob: Descriptor, state: TransferProgress["state"], offset: number): void;
}

/** A moving blob is reported so often at most. */
const INTERVAL_MS = 100;
/** Weight of the newest interval in the rate. */
const SMOOTHING = 0.3;

/** Every change of state is reported at once; movement within one, at intervals. */
export function createProgressReporter(
  onProgress: ((progress: TransferProgress) => void) | undefined,
  clock: Clock,
): ProgressReporter {
  const known = new Map<string, { state: string; atMs: number; offset: number; rate: number }>();
  return {
    report({ digest, size }, state, offset) {
      if (onProgress === undefined) return;
      const nowMs = clock.monotonicMs();
      const before = known.get(digest);
      const isMoving = state === "fetching" || state === "pushing";
      let rate = 0;
      if (isMoving && before?.state === state) {
        const elapsedMs = nowMs - before.atMs;
        if (elapsedMs < INTERVAL_MS) return;
        const current = (Math.max(offset - before.offset, 0) * 1000) / elapsedMs;
        rate = before.rate === 0 ? current : before.rate + SMOOTHING * (current - before.rate);
      } else if (before?.state === state && before.offset === offset) {
        return;
      }
      known.set(digest, { state, atMs: nowMs, offset, rate });
      onProgress({ what: digest, state, offset, total: size, bytesPerSecond: Math.round(rate) });
    },
  };
}
