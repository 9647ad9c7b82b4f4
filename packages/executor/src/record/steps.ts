import type { Client } from "@wfe-containerd/client";
import { ignoreNotFound, isSignal } from "@wfe-containerd/client/internal";
import { LABELS, type LeftStep } from "../core/plan/labels.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { ExecutorError } from "../error.js";
import { type FoundStep, findStep, findSteps } from "./found-step.js";
import { isClaimed } from "./is-claimed.js";
import { isLeft } from "./recorded-step.js";
import { pileOf } from "./step-pile.js";

/** A step that was found on a daemon. */
export interface ListedStep {
  /** The id of its container. */
  readonly id: string;
  /** Empty if only its task is left. */
  readonly name: string;
  /** Empty if its container is not there. */
  readonly image: string;
  /**
   * Status of its task: `created`, `running`, `stopped`, `paused`, `pausing` or `unknown`; `none` if it has
   * no task.
   */
  readonly status: string;
  /**
   * Whether its executor runs. `unknown`: it ran on another machine, or in another container. `gone`: `reap`
   * (the command's `gc`) removes the step. `left`: it was left to itself, and needs none.
   */
  readonly executor: "alive" | "gone" | "left" | "unknown";
  /**
   * What becomes of it when it has ended, if it was left to itself: it stays, or the next `reap` removes it.
   * Undefined: it was not left to itself.
   */
  readonly afterEnd: LeftStep | undefined;
  /** Undefined: it has not ended, or nobody knows. */
  readonly exitCode: number | undefined;
  /** The signal that asks it to end: its own, else its image's. Undefined: nobody knows. */
  readonly stopSignal: string | undefined;
  /** Whether it has a terminal. */
  readonly terminal: boolean;
  /** Whether its standard input stays open, so that `Executor.attach` can write into it. */
  readonly openStdin: boolean;
  /** The process of its executor: host, boot, PID namespace, process id and start time. */
  readonly owner: string;
  /** Undefined if only its task is left. */
  readonly createdAt: Date | undefined;
}

/**
 * Lists the steps on a daemon, in the client's namespace: running steps, and what dead executors left behind,
 * even if it is only a task without a container.
 */
export async function listSteps(client: Client): Promise<ListedStep[]> {
  const steps = await findSteps(client);
  const listed = steps.filter(({ hasContainer, status }) => hasContainer || status !== undefined);
  return Promise.all(listed.map(toListed));
}

/** What is told of a step that was found. */
export async function toListed(step: FoundStep): Promise<ListedStep> {
  const { id, image, labels, createdAt, exitCode, status = "none" } = step;
  const { found } = step.recorded;
  const record = found.kind === "record" ? found.record : undefined;
  const claimed = await isClaimed(step);
  const executor =
    claimed === undefined ? "unknown" : !claimed ? "gone" : isLeft(step.recorded) ? "left" : "alive";
  return {
    id,
    executor,
    afterEnd: afterEndOf(step),
    exitCode,
    name: labels[LABELS.step] ?? "",
    image,
    status,
    stopSignal: record && stopSignalOf(record),
    terminal: record?.terminal === true,
    openStdin: record?.openStdin === true,
    owner: labels[LABELS.owner] ?? "",
    createdAt,
  };
}

function afterEndOf({ recorded, labels }: FoundStep): LeftStep | undefined {
  if (!isLeft(recorded)) return undefined;
  return labels[LABELS.left] === "keep" ? "keep" : "remove";
}

/** An image may contain an invalid signal. */
function stopSignalOf({ stop: { signal } }: StepRecord): string {
  return isSignal(signal) ? signal : "SIGTERM";
}

/**
 * Kills a step and removes everything that it uses: task, container, snapshot, lease. Removes its output
 * files too, if they are on this machine. If something cannot be removed, what it stands on stays.
 *
 * @throws ExecutorError `invalid-argument` if there is no such step, or the container with that id is not a
 * step's; `runtime` or `daemon-unavailable` if its process cannot be killed.
 */
export async function removeStep(client: Client, id: string): Promise<void> {
  const step = await findStep(client, id);
  if (step !== undefined) {
    for (const { leftover, remove } of await pileOf(client, step, ""))
      if (leftover.kind !== "ingest") await remove();
    for (const { lease } of step.recorded.claims) await lease.delete();
    return;
  }
  const container = await ignoreNotFound(client.containers.get(id));
  const problem =
    container === undefined
      ? `there is no step ${id} in namespace ${client.namespace}`
      : `container ${id} does not belong to a step: another program made it`;
  throw new ExecutorError(problem, { kind: "invalid-argument" });
}
