import { rm } from "node:fs/promises";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { StepResult } from "../core/output/result.js";
import { LABELS } from "../core/plan/labels.js";
import { msUntil } from "../core/recovery/deadline.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { ownTask } from "../process/create-task.js";
import { LOST } from "../process/exit-outcome.js";
import { firstProcess, type Process } from "../process/process.js";
import { followProcess } from "../process/run-process.js";
import type { ClaimedStep } from "../record/claim.js";
import { readMoment } from "../record/clock.js";
import { keepResult } from "../record/keep-result.js";
import { keepRecord, type RecordKeeper } from "../record/record-keeper.js";
import type { StepContext } from "./context.js";
import type { HostContainer } from "./create-exec.js";
import { openContainer } from "./find-container.js";
import { type ReopenedStep, readOutput, reopenOutput } from "./reopen.js";
import type { EndedStep } from "./run.js";
import { settleStep } from "./settle.js";

/** What the taking over of a step needs besides the step. */
export interface Adoption {
  /** The values of its secrets, which are masked in its output. */
  readonly masked: readonly Uint8Array[];
  /** Its output, if this process has followed it before. */
  readonly reopened?: ReopenedStep | undefined;
  /**
   * Called when it is known that the step's process was started.
   *
   * @param container what further processes are added to. Undefined: the step has ended.
   */
  readonly onStart: (container: HostContainer | undefined) => void;
  /** Called when the step's process has ended. Waits for the processes that were added to it. */
  readonly onEnd: () => Promise<void>;
}

/**
 * Goes on with a step whose executor has ended: waits for its end, keeps its deadline, reads its output from
 * the beginning, and gives its result. From now on its release is ours.
 *
 * @param keepsClaims whether the claims stay when the rest is released, at that time.
 * @returns `not-started` if nothing of the step ran, and nothing of it will.
 */
export async function adoptStep(
  context: StepContext,
  claimed: ClaimedStep,
  { masked, reopened, onStart, onEnd }: Adoption,
  keepsClaims: () => boolean = () => false,
): Promise<StepResult | "not-started"> {
  const { machine, release } = context;
  const { container, found } = claimed.step;
  const process = firstProcess(machine, context.id);
  ownLeftovers(context, claimed, process, keepsClaims);
  if (container === undefined || found.kind !== "record" || found.record.state === "preparing")
    return "not-started";
  const { record } = found;
  const keeper = keepRecord(
    { patient: machine.client, impatient: machine.impatientClient },
    context.id,
    record,
  );
  const status = await ignoreNotFound(machine.client.tasks.get(context.id));
  if (status?.status === "created") {
    await keeper.notStarted();
    return "not-started";
  }

  const io = reopened?.io ?? (await reopenOutput(context, record));
  await io.takeOver();
  if (record.exit === undefined && status !== undefined && status.pid > 0) {
    // Otherwise the deletion of the task would wait for us.
    release.own(() => io.release());
    await io.attach({ pid: status.pid, isLocal: machine.facts.locality === "local" });
  }
  onStart(await openContainer(machine, { step: claimed.step, record }, masked));
  const step = reopened ?? (await readOutput(context, io, record, container.spec, masked));
  const ended = await endOf(context, claimed, step, {
    record,
    process,
    keeper,
    exitedAt: status?.status === "stopped" ? status.exitedAt : undefined,
    hasTask: status !== undefined,
  });
  await onEnd();
  const result = await settleStep(
    context,
    {
      ...step,
      task: process,
      unwritable: [],
      keeper: record.exit === undefined ? keeper : undefined,
      isLateReader: record.output.mode === "fifo",
    },
    ended,
  );
  keepResult(machine.client, context.id, record.run, result, release);
  return result;
}

interface Following {
  readonly record: StepRecord;
  readonly process: Process;
  readonly keeper: RecordKeeper;
  /** Undefined if it still runs, or if nobody knows. */
  readonly exitedAt: Date | undefined;
  readonly hasTask: boolean;
}

async function endOf(
  { machine, signals, patience }: StepContext,
  { daemonMs }: ClaimedStep,
  { plan, io }: ReopenedStep,
  { record, process, keeper, exitedAt, hasTask }: Following,
): Promise<EndedStep> {
  const startedAt = new Date(record.startedAtMs ?? Date.now());
  if (record.exit !== undefined)
    return { outcome: record.exit, startedAt, durationMs: record.exit.durationMs };
  const lasted = (end: Date): number => Math.max(0, end.getTime() - startedAt.getTime());
  // A daemon from 1.7 on that was down when the step ended forgets it.
  if (!hasTask) {
    const outcome = { ...LOST, cause: record.stopCause ?? LOST.cause };
    return { outcome, startedAt, durationMs: lasted(new Date()) };
  }
  const now = await readMoment(machine.facts.locality !== "remote", daemonMs);
  const timeoutMs = record.deadline && Math.max(0, msUntil(record.deadline, now));
  const outcome = await followProcess(
    machine.client,
    process,
    { ...plan, timeoutMs },
    io,
    { ...signals, patience },
    keeper.stopping,
    record.stopCause,
  );
  return { outcome, startedAt, durationMs: lasted(exitedAt ?? new Date()) };
}

/** Registers the undo of everything that the step may have, in the order in which a step is made. */
function ownLeftovers(
  context: StepContext,
  { step, removeClaims }: ClaimedStep,
  process: Process,
  keepsClaims: () => boolean,
): void {
  const { id, machine, release } = context;
  const { client } = machine;
  const { container, found, lease } = step;
  release.add({ kind: "lease", id }, async () => {
    // Without a container, only the lease has protected the snapshot.
    await client.leases.delete(id, { sync: container === undefined });
    if (!keepsClaims()) await removeClaims();
  });
  const recorded = found.kind === "record" ? found.record.output.directory : undefined;
  const directory = recorded ?? lease?.labels[LABELS.io] ?? "";
  // What the daemon says is not enough to remove a directory: its name must be the step's id.
  if (directory.endsWith(`/${id}`))
    release.add({ kind: "output", id: directory }, () => rm(directory, { recursive: true, force: true }));
  if (container === undefined) {
    ownTask(machine, process, context);
    return;
  }
  const { snapshotKey, snapshotter } = container;
  if (snapshotKey !== "")
    release.add({ kind: "snapshot", id: snapshotKey }, () =>
      ignoreNotFound(client.snapshots.remove(snapshotKey, { snapshotter })),
    );
  release.add({ kind: "container", id }, () => ignoreNotFound(client.containers.delete(id)));
  ownTask(machine, process, context);
}
