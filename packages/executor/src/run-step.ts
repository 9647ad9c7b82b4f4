import { createOutage, type Outage, type Snapshot } from "@wfe-containerd/client";
import type { Deferred } from "@wfe-containerd/client/internal";
import { type AdmittedStep, inWordsOf } from "./admit-step.js";
import type { StepResult } from "./core/output/result.js";
import { planStep } from "./core/plan/plan.js";
import { maskedValues } from "./core/step/secret.js";
import { traceStep } from "./diagnostics/step.js";
import { ExecutorError } from "./error.js";
import type { StepPhase } from "./event.js";
import type { ExecHost } from "./exec-host.js";
import { toExecutorError } from "./failure.js";
import type { EventQueue } from "./log/event-queue.js";
import type { Log } from "./log/log.js";
import type { Machine } from "./machine/machine.js";
import { createPatience, type Patience } from "./process/patience.js";
import { refuseIfAborted, type StopSignals } from "./process/stop-signals.js";
import { abandonedSteps } from "./record/abandoned.js";
import type { ClaimedStep } from "./record/claim.js";
import { keepResult } from "./record/keep-result.js";
import { neverStarted } from "./record/never-started.js";
import { checkSources } from "./resources/mount-sources.js";
import type { Release } from "./resources/release.js";
import { type Adoption, adoptStep } from "./stages/adopt.js";
import { takeAttempt } from "./stages/attempt.js";
import type { ExecutorContext, ProcessStreams, StepContext } from "./stages/context.js";
import { createStep, prepareStep } from "./stages/create.js";
import type { HostContainer } from "./stages/create-exec.js";
import type { FoundContainer } from "./stages/find-container.js";
import { observeStep } from "./stages/observe.js";
import { resolveStep } from "./stages/resolve.js";
import { runCreatedStep } from "./stages/run.js";
import { settleStep } from "./stages/settle.js";
import type { UnreleasedResource } from "./unreleased.js";

/** What an attempt has from its start, or from when it was taken over, to its end. */
export interface StepWay {
  readonly id: string;
  /** Which attempt it is, from 1 on. */
  readonly attempt: number;
  readonly executor: ExecutorContext;
  readonly signals: StopSignals;
  readonly events: EventQueue;
  readonly log: Log;
  readonly release: Release;
  readonly streams: ProcessStreams;
  /** Lets other processes into the container while the step runs. */
  readonly execs: ExecHost;
  /** From now on the step is left to itself. */
  leave(): void;
  /** Settled when the process runs, or when the step could not be run. */
  readonly started: Deferred<void>;
  /** Settled when the outcome and all output are known, or when the step could not be run. */
  readonly result: Deferred<StepResult>;
}

/** One attempt of a step. */
export interface StepRun extends StepWay {
  readonly admitted: AdmittedStep;
  /** Whether the container is that of a session. */
  readonly isSession: boolean;
  /** The snapshot that the session is started from, in place of an image. */
  readonly from: Snapshot | undefined;
}

/**
 * Runs an admitted step to its result, and releases everything. Never rejects.
 *
 * @returns what could not be released yet.
 */
export function runStep(run: StepRun): Promise<readonly UnreleasedResource[]> {
  return traceStep(run, ({ admitted, isSession, from, ...way }) =>
    goToEnd(way, admitted.input, (patience) => runStages({ ...admitted, isSession, from }, way, patience)),
  );
}

/**
 * Goes on with a step whose executor has ended. Never rejects.
 *
 * @param masked the values of its secrets.
 * @returns what could not be released yet.
 */
export function recoverStep(
  way: StepWay,
  claimed: ClaimedStep,
  masked: readonly Uint8Array[],
): Promise<readonly UnreleasedResource[]> {
  const { found, container } = claimed.step;
  const name = found.kind === "record" ? found.record.name : undefined;
  const input = { name, image: container?.image };
  return traceStep({ ...way, admitted: { input } }, (traced) =>
    goToEnd(traced, input, (patience) => adopt(traced, claimed, masked, patience)),
  );
}

async function adopt(
  way: StepWay,
  claimed: ClaimedStep,
  masked: readonly Uint8Array[],
  patience: Patience,
): Promise<StepResult> {
  const context = await contextOf(way, patience, (outage) => way.executor.machines.own(outage)).catch(
    (reason: unknown) => {
      // Nobody sees to it, though its record names this process.
      abandonedSteps.add(way.id);
      throw reason;
    },
  );
  const result = await adoptStep(context, claimed, { masked, ...announce(way) });
  if (result !== "not-started") return result;
  neverStarted.add(way.id);
  throw new ExecutorError(
    `step ${way.id} was not started: its executor ended before that, and what it had prepared is removed`,
    { kind: "runtime" },
  );
}

/**
 * Follows a step that another process has started, and leaves it as it is. Never rejects.
 *
 * @param masked the values of its secrets.
 */
export function followStep(
  way: StepWay,
  { step, record }: FoundContainer,
  masked: readonly Uint8Array[],
): Promise<readonly UnreleasedResource[]> {
  const input = { name: record.name, image: record.image.name };
  return goToEnd(way, input, async (patience) => {
    const context = await contextOf(way, patience, (outage) => way.executor.machines.own(outage));
    let adoption: Adoption = { masked, ...announce(way) };
    for (let seen = step; ; ) {
      const end = await observeStep(context, seen, record, adoption);
      if (!("reopened" in end)) return end;
      // Its process has ended, and it goes on without one.
      seen = end.step;
      adoption = { ...adoption, reopened: end.reopened };
    }
  });
}

/** Settles a step's result, and releases everything. */
async function goToEnd(
  { id, attempt, signals, events, log, release, execs, started, result }: StepWay,
  input: unknown,
  run: (patience: Patience) => Promise<StepResult>,
): Promise<readonly UnreleasedResource[]> {
  using patience = createPatience(signals);
  let isLeft = false;
  await run(patience).then(result.resolve, async (reason: unknown) => {
    // A step that has ended before it could be left has a result, and is released.
    isLeft = signals.leave?.aborted === true;
    const error = toExecutorError(reason, signals, release.has("task") ? id : undefined);
    const told = inWordsOf(input, error);
    started.reject(told);
    result.reject(told);
    await execs.end();
  });
  events.push({ type: "phase", phase: "releasing", id, attempt });
  log.end();
  events.stopWaiting();
  if (isLeft) release.leave();
  const unreleased = await release.run();
  if (unreleased.length > 0) events.push({ type: "release-failed", unreleased });
  return unreleased;
}

/** Each stage takes what the stage before it gives, so a step that was not checked gets no further. */
async function runStages(
  { step: allowed, secrets, data, run, left, ...session }: AdmittedStep & Pick<StepRun, "isSession" | "from">,
  way: StepWay,
  patience: Patience,
): Promise<StepResult> {
  const { id, attempt, executor, signals, events } = way;
  const enter = (phase: StepPhase): void => void events.push({ type: "phase", phase, id, attempt });
  const { onStart, onEnd } = announce(way);
  const context = await contextOf(way, patience, (outage) => executor.machines.of(allowed, outage));
  await checkSources(context.machine, allowed, executor.rules);

  enter("resolving");
  const masked = maskedValues(secrets);
  const taken = await takeAttempt(
    context,
    { step: allowed, run, left, isSession: session.isSession },
    { masked, onStart, onEnd },
  );
  if ("result" in taken) return taken.result;
  const resolved = await resolveStep(context, taken.leased, { secrets, data, ...session });
  const plan = planStep(resolved);

  enter("preparing");
  refuseIfAborted(signals);
  const prepared = await prepareStep(context, resolved, plan);

  enter("starting");
  refuseIfAborted(signals);
  const created = await createStep(context, prepared);
  refuseIfAborted(signals);
  const ended = await runCreatedStep(context, created, (pid, exit) => {
    onStart(pid === undefined ? undefined : created, exit);
    if (left !== undefined) way.leave();
  });

  await onEnd();
  const result = await settleStep(context, created, ended);
  keepResult(context.machine.client, id, run, result, context.release);
  return result;
}

async function contextOf(
  { id, executor, signals, streams, events, log, release }: StepWay,
  patience: Patience,
  find: (outage: Outage) => Promise<Machine>,
): Promise<StepContext> {
  const outage = createOutage({
    timeoutMs: executor.daemonTimeoutMs,
    signal: patience.signal,
    onAway({ message }) {
      patience.countOutage();
      events.push({ type: "daemon-away", reason: message });
    },
    onBack: (awayMs) => void events.push({ type: "daemon-back", awayMs }),
  });
  return { id, executor, signals, streams, patience, events, log, release, machine: await find(outage) };
}

/** Tells the start and the end of a step's process. Between them, others get into its container. */
function announce({ id, attempt, events, execs, started }: StepWay): {
  onStart(container: HostContainer | undefined, exit?: Promise<unknown>): void;
  onEnd(): Promise<void>;
} {
  let isStarted = false;
  return {
    onStart(container, exit) {
      if (container === undefined) void execs.end();
      else execs.open(container, exit);
      if (isStarted) return;
      isStarted = true;
      events.push({ type: "phase", phase: "running", id, attempt });
      started.resolve();
    },
    async onEnd() {
      await execs.end();
      events.push({ type: "phase", phase: "settling", id, attempt });
    },
  };
}
