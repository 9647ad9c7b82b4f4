import { isExecutorError } from "../error.js";
import type { ExecutorErrorKind } from "../error-kind.js";
import type { ExitOutcome } from "../process/exit-outcome.js";
import { runProcess } from "../process/run-process.js";
import type { StepContext } from "./context.js";
import type { CreatedProcess } from "./create.js";

/** How a step ended, and when. */
export interface EndedStep {
  readonly outcome: ExitOutcome;
  readonly startedAt: Date;
  readonly durationMs: number;
}

/** With an error of another kind, the runtime may have started the process. */
const REFUSALS: readonly ExecutorErrorKind[] = ["command-not-found", "command-not-executable", "refused"];

/**
 * Runs a created step to its end. Measures the duration on the monotonic clock, because the wall clock may
 * jump.
 */
export async function runCreatedStep(
  { machine, signals, patience, streams: { stdin } }: StepContext,
  { plan, task, io, keeper }: CreatedProcess,
  onStart: (pid: number | undefined, exit: Promise<unknown>) => void,
): Promise<EndedStep> {
  const startedAt = new Date();
  const start = performance.now();
  keeper?.starting();
  const outcome = await runProcess(
    machine.client,
    task,
    plan,
    io,
    { ...signals, patience, stdin },
    onStart,
    keeper?.stopping ?? (async () => undefined),
  ).catch((reason: unknown) => {
    if (REFUSALS.some((kind) => isExecutorError(reason, kind))) keeper?.refused();
    throw reason;
  });
  return { outcome, startedAt, durationMs: performance.now() - start };
}
