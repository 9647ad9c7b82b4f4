import { isContainerdError } from "@wfe-containerd/client";
import { findWarnings } from "../core/output/find-warnings.js";
import type { StepResult } from "../core/output/result.js";
import { readToEnd } from "../io/read-to-end.js";
import type { CreatedTask } from "../process/run-task.js";
import { startTimerAfter } from "../timer.js";
import type { StepContext } from "./context.js";
import type { CreatedStep } from "./create.js";
import type { EndedStep } from "./run.js";

/** Reads the output of an ended step to its end, and makes the result. */
export async function settleStep(
  { signals, events }: StepContext,
  { plan, task, io, recorder, unwritable }: CreatedStep,
  { outcome, startedAt, durationMs }: EndedStep,
): Promise<StepResult> {
  const isCopied = io.completeAfter !== "delete" || (await deleteInTime(task, signals.forceKill));
  const isWhole = (await readToEnd(io, signals.forceKill)) && isCopied;
  const recording = recorder.finish();
  const warnings = findWarnings(plan, { ...outcome, ...recording }, unwritable);
  for (const warning of warnings) events.push({ type: "warning", ...warning });
  return {
    name: plan.name,
    ok: outcome.cause === "exit" && outcome.exitCode === 0,
    ...outcome,
    ...recording,
    warnings,
    truncated: recording.truncated || !isWhole,
    startedAt,
    durationMs,
  };
}

/** How long to wait for the deletion of the task after a kill, in milliseconds. */
const DELETE_AFTER_KILL_MS = 2_000;

/**
 * Deletes the task, so that the shim has copied all output. If that fails, the outcome of the step is known
 * nevertheless, and the release deletes the task later.
 *
 * @returns false if the shim may not have copied everything.
 */
async function deleteInTime(task: CreatedTask, forceKill: AbortSignal): Promise<boolean> {
  const late = startTimerAfter(forceKill, DELETE_AFTER_KILL_MS);
  const deleted = task.delete().then(
    () => true,
    // The shim copies first, and calls runc then. So a failure of runc has lost nothing.
    (reason: unknown) => isContainerdError(reason) && reason.kind !== "unavailable",
  );
  try {
    return await Promise.race([deleted, late.fired.then(() => false)]);
  } finally {
    late.cancel();
  }
}
