import { findWarnings } from "../core/output/find-warnings.js";
import type { StepResult } from "../core/output/result.js";
import { readToEnd } from "../io/read-to-end.js";
import type { StepContext } from "./context.js";
import type { CreatedStep } from "./create.js";
import type { EndedStep } from "./run.js";

/** Reads the output of an ended step to its end, and makes the result. */
export async function settleStep(
  { signals, events }: StepContext,
  { plan, task, io, recorder, unwritable }: CreatedStep,
  { outcome, startedAt, durationMs }: EndedStep,
): Promise<StepResult> {
  if (io.completeAfter === "delete") await task.delete();
  const isWhole = await readToEnd(io, signals.forceKill);
  const recording = recorder.finish();
  const warnings = findWarnings(plan, { ...outcome, ...recording }, unwritable);
  for (const warning of warnings) events.push({ type: "warning", ...warning });
  return {
    name: plan.name,
    ...outcome,
    ...recording,
    warnings,
    truncated: recording.truncated || !isWhole,
    startedAt,
    durationMs,
  };
}
