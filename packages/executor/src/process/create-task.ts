import { setTimeout as delay } from "node:timers/promises";
import { isContainerdError, type Mount } from "@wfe-containerd/client";
import type { StepPlan } from "../core/plan/plan.js";
import type { Spec } from "../core/spec/spec.js";
import { ExecutorError } from "../error.js";
import type { StepIo } from "../io/io.js";
import { removeBundle } from "../machine/bundle.js";
import type { Machine } from "../machine/machine.js";
import { traceFinderOf } from "../machine/step-traces.js";
import { createContainer } from "../resources/acquire.js";
import type { Release } from "../resources/release.js";
import { deleteProcess } from "./delete-process.js";
import { isStopped, killProcess } from "./kill-process.js";
import type { Patience } from "./patience.js";
import { firstProcess, type Process } from "./process.js";
import type { ProcessId } from "./process-id.js";
import { isLimitRefusal, startError } from "./start-error.js";

/** runc and two starts of the shim take seconds on a busy machine, never minutes. */
const CREATE_TIMEOUT_MS = 120_000;

/** How long a half-made task may be in the way of its next creation, in milliseconds. */
const IN_THE_WAY_MS = 20_000;
/** How often it must have been removed before, because that time may be over in one outage of the daemon. */
const LEAST_REMOVALS = 10;
/** How often a shim may die as it creates the task. One that always does is broken. */
const MOST_DEATHS = 5;
/**
 * How long a daemon may take to remove the bundle of a task that it forgets, in milliseconds. It has nothing
 * else to do for that than to start a shim, which calls `runc delete`.
 */
const REMOVING_MS = 5_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** The parts of a step that its task depends on. */
export interface TaskOwner {
  readonly release: Release;
  readonly patience: Pick<Patience, "outages">;
}

type TaskMachine = Pick<Machine, "client" | "impatientClient" | "bridge" | "facts">;

/** A created task, whose process is not started yet. */
export interface CreatedTask extends Process {
  /** The id of its first process on the daemon's machine. */
  readonly pid: number;
  /** What the container was made of. */
  readonly spec: Spec;
}

/**
 * Creates the task. The caller's signal does not cancel the call: a creation that is cancelled, or whose
 * deadline passes, leaves a shim behind that is in no list.
 *
 * @param findFault Finds what is wrong with the image if the runtime does not answer.
 * @throws ExecutorError; see `startError`.
 */
export async function createTask(
  machine: TaskMachine,
  plan: StepPlan,
  rootfs: Mount[],
  io: StepIo,
  step: TaskOwner,
  findFault: () => Promise<string | undefined>,
): Promise<CreatedTask> {
  const { client } = machine;
  const process = firstProcess(machine, plan.id);
  let { spec } = plan.container;
  ownTask(machine, process, step);
  const createOnce = async (): Promise<{ readonly pid: number } | undefined> => {
    const { outages } = step.patience;
    const request = { containerId: plan.id, rootfs, ...io.stdio, timeoutMs: CREATE_TIMEOUT_MS };
    const made = await client.tasks.create(request);
    return step.patience.outages === outages ? made : undefined;
  };
  const create = (): Promise<{ readonly pid: number }> => createOverHalfMade(machine, process.id, createOnce);
  const { pid } = await create()
    .catch(async (reason: unknown) => {
      if (!isLimitRefusal(reason)) throw reason;
      // The daemon may not set our default limits, and we cannot always know what it may set. Its own limits
      // are lower then, and the step gets those.
      await client.containers.delete(plan.id);
      spec = plan.container.specWithoutDefaults;
      await createContainer(client, plan, spec);
      return create();
    })
    .catch(async (reason: unknown) => {
      throw await explainTimeout(startError(reason, plan), findFault);
    });
  return Object.assign(process, { pid, spec });
}

/**
 * Registers the undo of a task: what still runs of it is killed, also if the daemon has forgotten it. A
 * daemon forgets a shim that it has not ended if its call is given up in the middle of a deletion, because it
 * hangs or the path to it is cut (containerd, `shimTask.delete`).
 */
export function ownTask(machine: TaskMachine, process: Process, { release, patience }: TaskOwner): void {
  const { client, bridge, facts } = machine;
  const { containerId: id } = process.id;
  release.add({ kind: "task", id }, async () => {
    // The result may be given while the task is being deleted.
    await process.deleting?.catch(() => undefined);
    if (!process.isDeleted) {
      if (!(await isStopped(client, process.id))) await killProcess(client, process.id);
      await process.delete();
    }
    if (process.isForgotten || patience.outages > 0)
      await traceFinderOf(client, bridge, facts.locality)?.removeAll(id);
  });
}

/**
 * Creates a task. Nobody else has its id, but a half-made one may be in the way: a daemon that was killed
 * while it created the task finds its shim again, and does not remove it; the daemon undoes the creation of a
 * client that was killed only a while later; a daemon that was killed while it removed the bundle never does;
 * and what runc has made stays if the daemon could not undo it.
 *
 * @param create returns undefined if the daemon was away meanwhile. Then a task that looks complete may be
 * half undone: a daemon whose client was cut off lets the shim delete the task, and a shim whose daemon dies
 * meanwhile has closed the pipes of the step, and keeps it (containerd, pkg/process/init.go, `Init.delete`).
 */
async function createOverHalfMade<T>(
  machine: TaskMachine,
  id: ProcessId,
  create: () => Promise<T | undefined>,
): Promise<T> {
  const begunAt = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  let deaths = 0;
  for (let removals = 0; ; removals++) {
    let bundle: string | undefined;
    try {
      const made = await create();
      if (made !== undefined) return made;
    } catch (reason) {
      const inTheWayMs = performance.now() - begunAt;
      const isTooLong = inTheWayMs > IN_THE_WAY_MS && removals >= LEAST_REMOVALS;
      const isFinal = isShimDeath(reason) ? deaths++ >= MOST_DEATHS : !isInTheWay(reason) || isTooLong;
      if (isFinal) throw reason;
      if (inTheWayMs > REMOVING_MS) bundle = bundleInTheWay(reason, machine, id);
    }
    await removeHalfMade(machine, id, bundle).catch(() => undefined);
    await delay(pauseMs);
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

/**
 * A shim died before it was reached, or before it had created the container. It may be that of an earlier
 * creation, which was just ending. Nothing of the step has run.
 */
const SHIM_DIED = [
  /failed to start shim: start failed: .*: connection refused/,
  /failed to create shim task: ttrpc: closed/,
];

function isShimDeath(reason: unknown): boolean {
  return isContainerdError(reason) && SHIM_DIED.some((text) => text.test(reason.message));
}

/**
 * There is no status code for these cases. The daemon passes on the error of its mkdir(2) for a bundle that
 * is there; or of its shim, whose bundle was just removed by the end of an earlier creation; or of runc, for
 * a container that is there. A shim that is not installed has another message: the daemon looks for it before
 * it starts one.
 */
const BUNDLE_IN_THE_WAY = /mkdir (\S*\.task\/\S+): file exists/;
const IN_THE_WAY = [
  BUNDLE_IN_THE_WAY,
  /\.task\/[^\s/]+\/[^\s/:]+(?:\/[^\s/:]+)?: no such file or directory/,
  /failed to start shim: start failed: .*: no such file or directory/s,
  /container with given ID already exists/,
];

/** What the shim says of a runtime that is missing. It names the bundle, too, where it looked for its log. */
const NO_RUNTIME = /exec: "[^"]+": executable file not found in \$PATH/;

function isInTheWay(reason: unknown): boolean {
  if (isContainerdError(reason, "already-exists")) return true;
  if (isContainerdError(reason) && NO_RUNTIME.test(reason.message)) return false;
  return isContainerdError(reason) && IN_THE_WAY.some((text) => text.test(reason.message));
}

/** The path of the bundle that the daemon finds there, as its message names it. */
function bundleInTheWay(
  reason: unknown,
  { client }: TaskMachine,
  { containerId }: ProcessId,
): string | undefined {
  const path = isContainerdError(reason) ? BUNDLE_IN_THE_WAY.exec(reason.message)?.[1] : undefined;
  return path?.endsWith(`.task/${client.namespace}/${containerId}`) ? path : undefined;
}

/** @param bundle the daemon has not removed it for too long: it is removed here, if that is possible. */
async function removeHalfMade(
  { client, bridge, facts }: TaskMachine,
  id: ProcessId,
  bundle: string | undefined,
): Promise<void> {
  await killProcess(client, id);
  await deleteProcess(client, id);
  const traces = traceFinderOf(client, bridge, facts.locality);
  if (traces === undefined) return;
  await traces.removeAll(id.containerId);
  if (bundle !== undefined) await removeBundle(bundle);
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
