import type { StreamEnd } from "../core/output/step-log.js";
import { startTimerAfter } from "../timer.js";
import { OUTPUT_STREAMS, type OutputEnd, type StepIo } from "./io.js";

/**
 * How long to read after a kill, in milliseconds. Reading all of a long output may take minutes, and a caller
 * who kills a step does not wait for that. Usually the rest is read at once.
 */
const READ_AFTER_KILL_MS = 2_000;

/**
 * Reads a step's output to its end.
 *
 * @param forceKill aborted by a caller who does not want to wait for a long output.
 */
export async function readToEnd(io: StepIo, forceKill: AbortSignal): Promise<OutputEnd> {
  const late = startTimerAfter(forceKill, READ_AFTER_KILL_MS);
  const notRead = late.fired.then((): StreamEnd => "not-read");
  try {
    const [stdout, stderr] = await Promise.all(
      OUTPUT_STREAMS.map((stream) => Promise.race([io.finish(stream), notRead])),
    );
    return { stdout: stdout ?? "unknown", stderr: stderr ?? "unknown" };
  } finally {
    late.cancel();
  }
}
