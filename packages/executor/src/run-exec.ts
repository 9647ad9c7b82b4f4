import { createOutage, isContainerdError } from "@wfe-containerd/client";
import { admitExec } from "./admit-exec.js";
import type { StepResult } from "./core/output/result.js";
import type { WorkflowData } from "./core/output/workflow-data.js";
import type { SecretValues } from "./core/step/secret.js";
import { spellError, spellingOf } from "./core/step/spelling.js";
import { ExecutorError, isExecutorError } from "./error.js";
import type { StepPhase } from "./event.js";
import type { ExecHost } from "./exec-host.js";
import { toExecutorError } from "./failure.js";
import type { HandleParts } from "./open-handle.js";
import { isShimGone } from "./process/delete-process.js";
import { createPatience, type Patience } from "./process/patience.js";
import type { Release } from "./resources/release.js";
import { giveSecrets } from "./resources/step-secrets.js";
import {
  type ExecutorContext,
  type ProcessStreams,
  type StepContext,
  toIoRequest,
} from "./stages/context.js";
import { createExec, resolveExec } from "./stages/create-exec.js";
import { type EndedStep, runCreatedStep } from "./stages/run.js";
import { settleStep } from "./stages/settle.js";
import type { UnreleasedResource } from "./unreleased.js";

/** One run of a further process in a step's container. */
export interface ExecRun extends HandleParts {
  /** The id of the process in the container. */
  readonly id: string;
  readonly host: ExecHost;
  readonly executor: ExecutorContext;
  readonly release: Release;
  /** The process, not yet parsed. */
  readonly process: unknown;
  readonly data: WorkflowData;
  /** Values of its own secrets, by name. */
  readonly secretValues: SecretValues;
  /** Whether the secrets of the step are not masked in the output. */
  readonly isRaw: boolean;
  readonly streams: ProcessStreams;
  /** Refuses options that are wrong. */
  checkCall(): void;
}

/** How long after its processes a container may end, in milliseconds: when it dies, they die first. */
const CONTAINER_END_MS = 2_000;
/** How long the end of a container that the daemon knows of may take to be told here, in milliseconds. */
const TOLD_MS = 30_000;

/**
 * Runs a further process from its input to its result, and releases everything. Never rejects.
 *
 * @returns what could not be released yet.
 */
export async function runExec(run: ExecRun): Promise<readonly UnreleasedResource[]> {
  const { id, host, signals, events, log, release, started, result } = run;
  using patience = createPatience(signals);
  const taken = host.takeSlot();
  await runStages(run, patience, taken.slot)
    .catch(async (reason: unknown) => {
      throw await whyNotRun(reason, host);
    })
    .then(result.resolve, (reason: unknown) => {
      const error = toExecutorError(reason, signals, release.has("exec") ? id : undefined);
      const told = error.kind === "invalid-step" ? error : spellError(error, spellingOf(run.process));
      started.reject(told);
      result.reject(told);
    });
  events.push({ type: "phase", phase: "releasing", id, attempt: 1 });
  log.end();
  events.stopWaiting();
  const unreleased = await release.run();
  // What is left has it in its name.
  if (unreleased.length === 0) taken.giveBack();
  if (unreleased.length > 0) events.push({ type: "release-failed", unreleased });
  events.close();
  return unreleased;
}

/** As the stages of a step. Its image, files and container are there already. */
async function runStages(
  { host, process, data, secretValues, isRaw, started, result: _, checkCall, ...run }: ExecRun,
  patience: Patience,
  slot: string,
): Promise<StepResult> {
  const { id, executor, signals, events } = run;
  const enter = (phase: StepPhase): void => void events.push({ type: "phase", phase, id, attempt: 1 });
  checkCall();
  const step = host.enter();
  const { step: allowed, secrets } = admitExec(process, step, executor.rules, secretValues);
  const outage = createOutage({
    timeoutMs: executor.daemonTimeoutMs,
    signal: patience.signal,
    onAway({ message }) {
      patience.countOutage();
      events.push({ type: "daemon-away", reason: message });
    },
    onBack: (awayMs) => void events.push({ type: "daemon-back", awayMs }),
  });
  const machine = await executor.machines.of(step.resolved.step, outage);
  const context: StepContext = { ...run, machine, patience };

  enter("resolving");
  executor.io.check(machine, toIoRequest(context));
  const plan = await resolveExec(context, step, allowed, {
    data,
    slot,
    hasSecrets: secrets.length > 0,
  });

  enter("preparing");
  refuseIfAborted(signals.stop);
  const { user } = plan.container.spec.process;
  const { plan: container, task } = step;
  const frozen = <T>(work: () => Promise<T>): Promise<T> =>
    host.freezer.frozen(machine.client, container.id, work);
  const place = { machine, id: container.id, pid: task.pid, frozen };
  await giveSecrets(place, secrets, slot, user, run.release);
  refuseIfAborted(signals.stop);
  const created = await createExec(context, step, allowed, plan, {
    freezer: host.freezer,
    masked: isRaw ? [] : [...step.resolved.secrets, ...secrets],
  });

  enter("starting");
  refuseIfAborted(signals.stop);
  host.enter();
  let attached: Promise<unknown> | undefined;
  const ended = await runCreatedStep(context, created, (pid) => {
    if (pid !== undefined) attached = created.io.attach({ pid, isLocal: machine.facts.locality === "local" });
    attached?.catch(() => undefined);
    enter("running");
    started.resolve();
  });
  await attached;

  enter("settling");
  return settleStep(context, created, await whyEnded(ended, host));
}

/** The kernel kills the others when a container's first process ends. That is not their own end. */
async function whyEnded(ended: EndedStep, host: ExecHost): Promise<EndedStep> {
  const { outcome } = ended;
  const mayBe = outcome.cause === "runtime-lost" || (outcome.cause === "signal" && outcome.exitCode === 137);
  if (!mayBe || !(await containerEnds(host))) return ended;
  return { ...ended, outcome: { ...outcome, cause: "container-ended" } };
}

/** Whether the container ends, now that one of its processes has. */
async function containerEnds(host: ExecHost): Promise<boolean> {
  if (await host.endsWithin(CONTAINER_END_MS)) return true;
  // The news may be late, so the daemon is asked.
  try {
    const { plan, resolved } = host.look();
    return (await resolved.machine.impatientClient.tasks.get(plan.id)).status === "stopped";
  } catch (reason) {
    return isExecutorError(reason, "refused") || isContainerdError(reason, "not-found") || isShimGone(reason);
  }
}

/** A container that ends meanwhile makes the daemon fail in many ways. */
async function whyNotRun(reason: unknown, host: ExecHost): Promise<unknown> {
  if (
    !(reason instanceof Error) ||
    !/not found|not running|stopped|ttrpc: closed|no such process/.test(reason.message)
  )
    return reason;
  if (!(await containerEnds(host))) return reason;
  await host.endsWithin(TOLD_MS);
  try {
    host.enter();
    return reason;
  } catch (refusal) {
    return refusal;
  }
}

function refuseIfAborted(stop: AbortSignal): void {
  if (!stop.aborted) return;
  throw new ExecutorError("the process was aborted before it had started", {
    kind: "aborted",
    cause: stop.reason,
  });
}
