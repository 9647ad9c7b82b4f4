import { type Client, type ExitStatus, isContainerdError, type Mount } from "@wfe-containerd/client";
import { ignoreNotFound, isSignal } from "@wfe-containerd/client/internal";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepPlan } from "../core/plan/plan.js";
import { ExecutorError } from "../error.js";
import type { StepIo } from "../io/io.js";
import type { Machine } from "../machine/machine.js";
import { createContainer } from "../resources/acquire.js";
import type { Release } from "../resources/release.js";
import { startTimer } from "../timer.js";
import { deleteTask } from "./delete-task.js";
import { type ExitOutcome, toExitOutcome } from "./exit-outcome.js";
import type { Patience } from "./patience.js";
import { isLimitRefusal, startError } from "./start-error.js";
import type { StopSignals } from "./stop-signals.js";
import { kill, stopTask } from "./stop-task.js";

/** runc and two starts of the shim take seconds on a busy machine, never minutes. */
const CREATE_TIMEOUT_MS = 120_000;

/**
 * How long to try to kill a task that is to be removed, in milliseconds. Whoever removes it tries again
 * later.
 */
const KILL_MS = 6_000;
/** A daemon that is just coming back is waited for this long, in milliseconds, though the step is to end. */
const BACK_MS = 3_000;
/** How long a shim may take to tell the status of its task, in milliseconds. */
const STATUS_MS = 5_000;

/** A created task, whose process is not started yet. */
export interface CreatedTask {
  readonly id: string;
  /** The id of its first process on the daemon's machine. */
  readonly pid: number;
  /**
   * Deletes the ended task. Afterwards the shim has written all output, and is gone. A call during another
   * one waits for that.
   */
  delete(): Promise<void>;
}

/**
 * Creates the task. The caller's signal does not cancel the call: a creation that is cancelled, or whose
 * deadline passes, leaves a shim behind that is in no list.
 *
 * @param findFault Finds what is wrong with the image if the runtime does not answer.
 * @throws ExecutorError; see `startError`.
 */
export async function createTask(
  client: Client,
  plan: StepPlan,
  rootfs: Mount[],
  io: StepIo,
  release: Release,
  findFault: () => Promise<string | undefined>,
): Promise<CreatedTask> {
  let isDeleted = false;
  let deleting: Promise<void> | undefined;
  const remove = (): Promise<void> => {
    deleting ??= deleteTask(client, plan.id).then(
      () => {
        isDeleted = true;
      },
      (reason: unknown) => {
        deleting = undefined;
        throw reason;
      },
    );
    return deleting;
  };
  release.add({ kind: "task", id: plan.id }, async () => {
    if (isDeleted) return;
    if (!(await isStopped(client, plan.id))) await killTask(client, plan.id);
    await remove();
  });
  const create = (): Promise<{ readonly pid: number }> =>
    client.tasks.create({ containerId: plan.id, rootfs, ...io.stdio, timeoutMs: CREATE_TIMEOUT_MS });
  const { pid } = await create()
    .catch(async (reason: unknown) => {
      if (!isContainerdError(reason, "already-exists")) throw reason;
      // Nobody else has this id. A daemon that was killed while it created the task finds the half-made
      // task's shim again, and does not remove it.
      await removeHalfMade(client, plan.id).catch(() => undefined);
      return create();
    })
    .catch(async (reason: unknown) => {
      if (!isLimitRefusal(reason)) throw reason;
      // The daemon may not set our default limits, and we cannot always know what it may set. Its own limits
      // are lower then, and the step gets those.
      await client.containers.delete(plan.id);
      await createContainer(client, plan, plan.container.specWithoutDefaults);
      return create();
    })
    .catch(async (reason: unknown) => {
      throw await explainTimeout(startError(reason, plan), findFault);
    });
  return { id: plan.id, pid, delete: remove };
}

async function removeHalfMade(client: Client, id: string): Promise<void> {
  await killTask(client, id);
  await deleteTask(client, id);
}

/** Adds to the message why the runtime does not answer, if that is known. The kind stays the same. */
async function explainTimeout(
  error: ExecutorError,
  findFault: () => Promise<string | undefined>,
): Promise<ExecutorError> {
  const { kind, cause, message } = error;
  if (!isContainerdError(cause, "deadline-exceeded")) return error;
  const fault = await findFault().catch(() => undefined);
  return fault === undefined ? error : new ExecutorError(`${fault} (${message})`, { kind, cause });
}

/**
 * Whether a task has ended. It waits for a daemon that is away, as `kill` does not.
 *
 * @throws ContainerdError `unavailable` if the daemon is away for too long.
 */
async function isStopped(client: Client, id: string): Promise<boolean> {
  const task = await ignoreNotFound(client.tasks.get(id, { timeoutMs: STATUS_MS })).catch(
    (reason: unknown) => {
      if (isContainerdError(reason, "unavailable")) throw reason;
      return undefined;
    },
  );
  return task?.status === "stopped";
}

/**
 * Kills all processes of a task, and waits until it is gone. A created task that was never started also has a
 * process.
 */
export async function killTask(client: Client, id: string): Promise<void> {
  const waiting = new AbortController();
  const exited = client.tasks.wait(id, { signal: waiting.signal });
  exited.catch(() => undefined);
  try {
    const ended = exited.then(
      () => true as const,
      () => true as const,
    );
    await kill(client, id, ended, KILL_MS);
  } finally {
    waiting.abort();
  }
}

/**
 * Starts a created task and waits until it has ended: by itself, by its time-out, by the caller's abort, or
 * because its output can no longer be stored.
 */
export async function runTask(
  { client, impatientClient }: Pick<Machine, "client" | "impatientClient">,
  plan: StepPlan,
  io: StepIo,
  { patience, ...signals }: StopSignals & { readonly patience: Patience },
  onStart: () => void,
): Promise<ExitOutcome> {
  const waiting = new AbortController();
  // Sent before the start, so that the end of even the shortest step is not missed.
  const exit = client.tasks.wait(plan.id, { signal: waiting.signal });
  exit.catch(() => undefined);
  try {
    patience.setGrace(Math.max(plan.stopGraceMs, BACK_MS));
    await client.tasks.start(plan.id).catch((reason: unknown) => {
      throw startError(reason, plan);
    });
    onStart();
    const stopReason = await firstStopReason(plan, io, signals, exit);
    if (stopReason !== undefined) patience.end();
    const wasStopped =
      stopReason !== undefined &&
      (await stopTask(impatientClient, plan.id, {
        // An image may contain an invalid stop signal. docker then uses SIGTERM too.
        signal: isSignal(plan.stopSignal) ? plan.stopSignal : "SIGTERM",
        graceMs: stopReason === "log-io-failed" ? 0 : plan.stopGraceMs,
        exited: exit,
        forceKill: aborted(signals.forceKill),
      }));
    return await toExitOutcome(client, plan, exit, wasStopped ? stopReason : undefined);
  } finally {
    waiting.abort();
  }
}

/** Why the step must be stopped; undefined if its process ended first. */
async function firstStopReason(
  plan: StepPlan,
  io: StepIo,
  signals: StopSignals,
  exit: Promise<ExitStatus>,
): Promise<StepEndCause | undefined> {
  const timer = plan.timeoutMs === undefined ? undefined : startTimer(plan.timeoutMs);
  const reasons: Promise<StepEndCause | undefined>[] = [
    exit.then(
      () => undefined,
      () => undefined,
    ),
    io.failed.catch((): StepEndCause => "log-io-failed"),
    aborted(signals.stop).then((): StepEndCause => "aborted"),
  ];
  if (timer !== undefined) reasons.push(timer.fired.then((): StepEndCause => "timeout"));
  try {
    return await Promise.race(reasons);
  } finally {
    timer?.cancel();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
