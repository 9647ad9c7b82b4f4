import { startTimerAfter } from "../timer.js";
import type { StepIo } from "./io.js";

/**
 * How long to read after a kill, in milliseconds. Reading all of a long output may take minutes, and a caller
 * who kills a step does not wait for that. Usually the rest is read at once.
 */
const READ_AFTER_KILL_MS = 2_000;

/**
 * Reads a step's output to its end.
 *
 * @param forceKill aborted by a caller who does not want to wait for a long output.
 * @returns false if some output was not read.
 */
export async function readToEnd(io: StepIo, forceKill: AbortSignal): Promise<boolean> {
  const late = startTimerAfter(forceKill, READ_AFTER_KILL_MS);
  try {
    return await Promise.race([io.finish(), late.fired.then(() => false)]);
  } finally {
    late.cancel();
  }
}
