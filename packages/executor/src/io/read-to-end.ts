import { startTimer, type Timer } from "../timer.js";
import type { StepIo } from "./io.js";

/** A step may have printed more than is read in minutes. Who kills it does not wait for that; what there mostly is, is read in a moment. */
const READ_AFTER_KILL_MS = 2_000;

/**
 * Reads what the step has printed to its end.
 *
 * @param hurry aborted by who does not want to wait.
 * @returns false when some of it was not read.
 */
export async function readToEnd(io: StepIo, hurry: AbortSignal): Promise<boolean> {
  let timer: Timer | undefined;
  const late = new Promise<boolean>((resolve) => {
    const begin = (): void => {
      timer = startTimer(READ_AFTER_KILL_MS);
      void timer.fired.then(() => resolve(false));
    };
    if (hurry.aborted) begin();
    else hurry.addEventListener("abort", begin, { once: true });
  });
  try {
    return await Promise.race([io.finish(), late]);
  } finally {
    timer?.cancel();
  }
}
