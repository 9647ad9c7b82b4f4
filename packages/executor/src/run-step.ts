import { createOutage } from "@wfe-containerd/client";
import type { Deferred } from "@wfe-containerd/client/internal";
import { type AdmittedStep, inWordsOf } from "./admit-step.js";
import type { StepResult } from "./core/output/result.js";
import { planStep } from "./core/plan/plan.js";
import { traceStep } from "./diagnostics/step.js";
import { ExecutorError } from "./error.js";
import type { StepPhase } from "./event.js";
import { toExecutorError } from "./failure.js";
import type { EventQueue } from "./log/event-queue.js";
import type { Log } from "./log/log.js";
import { createPatience, type Patience } from "./process/patience.js";
import type { StopSignals } from "./process/stop-signals.js";
import { checkSources } from "./resources/mount-sources.js";
import type { Release } from "./resources/release.js";
import type { ExecutorContext, StepContext } from "./stages/context.js";
import { createStep, prepareStep } from "./stages/create.js";
import { resolveStep } from "./stages/resolve.js";
import { runCreatedStep } from "./stages/run.js";
import { settleStep } from "./stages/settle.js";
import type { UnreleasedResource } from "./unreleased.js";

/** One attempt of a step. */
export interface StepRun {
  readonly id: string;
  /** Which attempt it is, from 1 on. */
  readonly attempt: number;
  readonly admitted: AdmittedStep;
  readonly executor: ExecutorContext;
  readonly signals: StopSignals;
  readonly events: EventQueue;
  readonly log: Log;
  readonly release: Release;
  /** Settled when the process runs, or when the step could not be run. */
  readonly started: Deferred<void>;
  /** Settled when the outcome and all output are known, or when the step could not be run. */
  readonly result: Deferred<StepResult>;
}

/**
 * Runs an admitted step to its result, and releases everything. Never rejects.
 *
 * @returns what could not be released yet.
 */
export function runStep(run: StepRun): Promise<readonly UnreleasedResource[]> {
  return traceStep(run, runToRelease);
}

async function runToRelease(run: StepRun): Promise<readonly UnreleasedResource[]> {
  const { id, attempt, signals, events, log, release, started, result } = run;
  using patience = createPatience(signals);
  await runStages(run, patience).then(result.resolve, (reason: unknown) => {
    const error = toExecutorError(reason, signals, release.has("task") ? id : undefined);
    const told = inWordsOf(run.admitted.input, error);
    started.reject(told);
    result.reject(told);
  });
  events.push({ type: "phase", phase: "releasing", id, attempt });
  log.end();
  events.stopWaiting();
  const unreleased = await release.run();
  if (unreleased.length > 0) events.push({ type: "release-failed", unreleased });
  return unreleased;
}

/** Each stage takes what the stage before it gives, so a step that was not checked gets no further. */
async function runStages(
  { admitted, started, result: _, ...run }: StepRun,
  patience: Patience,
): Promise<StepResult> {
  const { id, attempt, executor, signals, events } = run;
  const enter = (phase: StepPhase): void => void events.push({ type: "phase", phase, id, attempt });
  const { step: allowed, secrets, data } = admitted;
  const outage = createOutage({
    timeoutMs: executor.daemonTimeoutMs,
    signal: patience.signal,
    onAway: ({ message }) => void events.push({ type: "daemon-away", reason: message }),
    onBack: (awayMs) => void events.push({ type: "daemon-back", awayMs }),
  });
  const machine = await executor.machines.of(allowed, outage);
  await checkSources(machine, allowed, executor.rules);
  const context: StepContext = { ...run, machine, patience };

  enter("resolving");
  const resolved = await resolveStep(context, allowed, { secrets, data });
  const plan = planStep(resolved);

  enter("preparing");
  refuseIfAborted(signals);
  const prepared = await prepareStep(context, resolved, plan);

  enter("starting");
  refuseIfAborted(signals);
  const created = await createStep(context, prepared);
  refuseIfAborted(signals);
  const ended = await runCreatedStep(context, created, () => {
    enter("running");
    started.resolve();
  });

  enter("settling");
  return settleStep(context, created, ended);
}

/** Nothing runs yet, so there is no exit code to report. */
function refuseIfAborted({ stop }: StopSignals): void {
  if (stop.aborted) throw abortedError(stop.reason);
}

/** @param cause the reason of the signal. */
export function abortedError(cause: unknown): ExecutorError {
  return new ExecutorError("the step was aborted before its process had started", { kind: "aborted", cause });
}
