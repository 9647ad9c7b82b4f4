import { setTimeout as delay } from "node:timers/promises";
import type { UnreleasedResource } from "../unreleased.js";
import type { Release } from "./release.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** The releases that stopped at a failure. They are run again until they are finished. */
export interface UnfinishedReleases {
  /** Takes over a release. Its next run comes in a second; pauses grow to a minute. */
  add(release: Release): void;
  /** What is left of them now. */
  readonly left: readonly UnreleasedResource[];
  /**
   * Runs all of them again and again, until none is left or the time is over. Nothing is run afterwards.
   *
   * @returns what is left. Never rejects.
   */
  finish(timeMs: number): Promise<readonly UnreleasedResource[]>;
}

export function createUnfinishedReleases(): UnfinishedReleases {
  const timers = new Map<Release, NodeJS.Timeout>();
  let isFinished = false;

  function schedule(release: Release, pauseMs: number): void {
    if (isFinished) return;
    const again = async (): Promise<void> => {
      if ((await release.run()).length === 0) timers.delete(release);
      else schedule(release, Math.min(2 * pauseMs, LONGEST_PAUSE_MS));
    };
    // It does not keep the process running: after its end, `gc` finds what is left.
    timers.set(release, setTimeout(() => void again(), pauseMs).unref());
  }

  return {
    add: (release) => schedule(release, FIRST_PAUSE_MS),
    get left() {
      return [...timers.keys()].flatMap(({ left }) => left);
    },
    async finish(timeMs) {
      isFinished = true;
      for (const timer of timers.values()) clearTimeout(timer);
      const lists = await Promise.all([...timers.keys()].map((release) => runFor(release, timeMs)));
      timers.clear();
      return lists.flat();
    },
  };
}

/** Runs a release until it is finished or the time is over. */
async function runFor(release: Release, timeMs: number): Promise<readonly UnreleasedResource[]> {
  const giveUpAt = performance.now() + timeMs;
  const stop = new AbortController();
  const late = delay(timeMs, "late" as const, { signal: stop.signal }).catch(() => "late" as const);
  let left = release.left;
  try {
    for (let pauseMs = FIRST_PAUSE_MS / 4; ; pauseMs = Math.min(2 * pauseMs, FIRST_PAUSE_MS)) {
      const outcome = await Promise.race([release.run(), late]);
      if (outcome === "late") return left;
      left = outcome;
      if (left.length === 0 || performance.now() + pauseMs > giveUpAt) return left;
      await delay(pauseMs);
    }
  } finally {
    stop.abort();
  }
}
