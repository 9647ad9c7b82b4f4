import type { ExitOutcome } from "../process/exit-outcome.js";
import { runTask } from "../process/run-task.js";
import type { StepContext } from "./context.js";
import type { CreatedStep } from "./create.js";

/** How a step ended, and when. */
export interface EndedStep {
  readonly outcome: ExitOutcome;
  readonly startedAt: Date;
  readonly durationMs: number;
}

/**
 * Runs a created step to its end. Measures the duration on the monotonic clock, because the wall clock may
 * jump.
 */
export async function runCreatedStep(
  { machine, signals, patience }: StepContext,
  { plan, io }: CreatedStep,
  onStart: () => void,
): Promise<EndedStep> {
  const startedAt = new Date();
  const start = performance.now();
  const outcome = await runTask(machine, plan, io, { ...signals, patience }, onStart);
  return { outcome, startedAt, durationMs: performance.now() - start };
}
