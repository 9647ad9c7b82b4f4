import type { Clock } from "../concurrency/clock.js";
import type { Descriptor } from "../oci/descriptor.js";

/** The progress of one blob of an image. */
export interface TransferProgress {
  /** The blob's digest; the full name of the image for what is resolved by tag. */
  readonly what: string;
  /**
   * Pull: `waiting` for a free slot, or for another client that fetches the same blob; `fetching`;
   * `unpacking`; `done` when the blob is stored, and a layer is unpacked; `exists` if the daemon already had
   * it.
   *
   * Push: `waiting`, `pushing`, `done`; `exists` if the registry already had it; `mounted` if the registry
   * had it in another repository.
   *
   * Both: `retrying` when the registry failed and is asked again after a wait; see `retry`.
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
  /** Bytes transferred so far. */
  readonly offset: number;
  /** Size of the blob in bytes. */
  readonly total: number;
  /** Bytes per second, smoothed; 0 if nothing is being transferred. */
  readonly bytesPerSecond: number;
  /** In the state `retrying`: the reason, and the time of the next attempt. */
  readonly retry?: TransferRetry | undefined;
}

/** A retry of a transfer. */
export interface TransferRetry {
  /** What went wrong, as a message for the user. */
  readonly reason: string;
  /** Milliseconds until the registry is asked again. */
  readonly delayMs: number;
  /** How many attempts have failed since the last one that transferred something. */
  readonly failures: number;
}

export interface ProgressReporter {
  report(blob: Descriptor, state: TransferProgress["state"], offset: number): void;
}

/** Shortest time between two reports of a blob that is being transferred. */
const INTERVAL_MS = 100;
/** Weight of the newest interval in the smoothed rate. */
const SMOOTHING = 0.3;

/** Creates a reporter. It reports each change of state at once, and progress within a state at intervals. */
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
