import type { PullOptions } from "@wfe-containerd/client";

/**
 * A clock for which waiting takes no time; it records each wait. Nothing else takes time either, even on a
 * busy machine.
 */
export function patientClock(): { clock: NonNullable<PullOptions["clock"]>; slept: number[] } {
  const slept: number[] = [];
  const startedAt = Date.now();
  let skippedMs = 0;
  return {
    slept,
    clock: {
      monotonicMs: () => skippedMs,
      wallMs: () => startedAt + skippedMs,
      sleep: async (ms) => {
        slept.push(ms);
        skippedMs += ms;
      },
    },
  };
}
