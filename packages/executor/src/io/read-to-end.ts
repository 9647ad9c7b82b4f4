import { startTimer, type Timer } from "../timer.js";
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
  let timer: Timer | undefined;
  const late = new Promise<boolean>((resolve) => {
    const begin = (): void => {
      timer = startTimer(READ_AFTER_KILL_MS);
      void timer.fired.then(() => resolve(false));
    };
    if (forceKill.aborted) begin();
    else forceKill.addEventListener("abort", begin, { once: true });
  });
  try {
    return await Promise.race([io.finish(), late]);
  } finally {
    timer?.cancel();
  }
}
