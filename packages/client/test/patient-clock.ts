import type { PullOptions } from "@wfe-containerd/client";

/** Waiting takes no time, and is written down. Nothing else takes any, however busy the machine is. */
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
