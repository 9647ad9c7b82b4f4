import { startTimer } from "../timer.js";
import type { StepIo } from "./io.js";

/** Whether all output of an ended step arrives within this time, in milliseconds. */
export async function arrivesWithin(io: Pick<StepIo, "arrived">, timeMs: number): Promise<boolean> {
  const late = startTimer(timeMs);
  try {
    return await Promise.race([io.arrived.then(() => true), late.fired.then(() => false)]);
  } finally {
    late.cancel();
  }
}
