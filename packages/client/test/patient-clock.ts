import type { PullOptions } from "@wfe-containerd/client";

/** Waiting takes no time, and is written down. */
export function patientClock(): { clock: NonNullable<PullOptions["clock"]>; slept: number[] } {
  const slept: number[] = [];
  let skippedMs = 0;
  return {
    slept,
    clock: {
      monotonicMs: () => performance.now() + skippedMs,
      wallMs: () => Date.now() + skippedMs,
      sleep: async (ms) => {
        slept.push(ms);
        skippedMs += ms;
      },
    },
  };
}
