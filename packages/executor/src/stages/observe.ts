import { setTimeout as delay } from "node:timers/promises";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepResult } from "../core/output/result.js";
import { UNKNOWN_USAGE } from "../core/output/usage.js";
import { LABELS } from "../core/plan/labels.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { ExecutorError } from "../error.js";
import { arrivesWithin } from "../io/arrives-within.js";
import type { ReopenedIo } from "../io/file.js";
import { listStepProcesses } from "../machine/step-processes.js";
import { isTaskKnown } from "../process/delete-process.js";
import { type ExitOutcome, toExitOutcome, toRemovedOutcome } from "../process/exit-outcome.js";
import { firstProcess } from "../process/process.js";
import { findOwner, findRecorded, isLeft, isSameStep, type RecordedStep } from "../record/recorded-step.js";
import type { Adoption } from "./adopt.js";
import type { StepContext } from "./context.js";
import { openContainer } from "./find-container.js";
import { type ReopenedStep, readOutput, reopenOutput } from "./reopen.js";
import { settleStep } from "./settle.js";

/** How often to look whether the step's owner lives, in milliseconds. */
const OWNER_MS = 1_000;
/** How often to look at the record of a step that has ended, in milliseconds. Its owner removes it soon. */
const END_MS = 20;
/** How long its owner may take to remove the task, in milliseconds. Then the output is read as it is. */
const DELETE_MS = 30_000;
/**
 * How long it may take until a step is gone that goes when it has ended, in milliseconds. Its task goes
 * first. Without a task, its shim may also have died.
 */
const REMOVAL_MS = 2_000;

/** How long the shim may take to copy a step's last output, in milliseconds: if that is seen, and if not. */
const COPY_MS = { seen: 5_000, unseen: 200 };

/** A step whose owner has ended while it was followed. */
export interface Orphaned {
  readonly step: RecordedStep;
  readonly reopened: ReopenedStep;
}

/**
 * Follows a step that this process has not taken over, and gives its result. It reads the files of the
 * process that has it, and changes nothing. A step that belongs to no process is followed to its end, too.
 *
 * @param belongsToNobody undefined: this looks whether its process lives. Whoever would take over the step of
 * a dead process says it, because that may die at any moment.
 * @throws ExecutorError `aborted` if the following is stopped. The step goes on.
 */
export async function observeStep(
  context: StepContext,
  seen: RecordedStep,
  first: StepRecord,
  { masked, onStart, onEnd, reopened: known }: Adoption,
  belongsToNobody?: boolean,
): Promise<StepResult | Orphaned> {
  const { id, machine, signals } = context;
  refuseFifo(id, first);
  const io = known?.io ?? (await reopenOutput(context, first));
  const reopened = known ?? (await readOutput(context, io, first, seen.container?.spec, masked));
  const isAlone = belongsToNobody ?? (isLeft(seen) || (await findOwner(seen)) === undefined);
  const copying = isAlone ? await joinOutput(context, io) : undefined;
  await io.caughtUp;
  onStart(await openContainer(machine, { step: seen, record: first }, masked));
  const process = firstProcess(machine, id);
  const waiting = new AbortController();
  const exit = process.wait(waiting.signal);
  const own = toExitOutcome(machine.client, process, exit, undefined);
  const ending = own.then(
    (outcome) => outcome,
    () => undefined,
  );
  const isRemovedAtEnd = seen.container?.labels[LABELS.left] === "remove";
  let endedAt: number | undefined;
  let patienceAloneMs = 0;
  const ended = ending.then((outcome) => {
    endedAt = performance.now();
    if (isRemovedAtEnd && outcome?.cause === "runtime-lost") patienceAloneMs = REMOVAL_MS;
  });
  const stopped = stopOf(signals.stop, waiting.signal);
  try {
    let record = first;
    let isGone = false;
    for (;;) {
      const now = await findRecorded(machine.client, id);
      isGone = now?.found.kind !== "record" || !isSameStep(seen, now);
      if (now?.found.kind !== "record" || isGone) break;
      record = now.found.record;
      if (record.exit !== undefined && !(await isTaskKnown(machine.client, id))) break;
      const hasOwner = !isLeft(now) && (await findOwner(now)) !== undefined;
      if (!hasOwner && !isAlone) return { step: now, reopened };
      const patienceMs = hasOwner ? DELETE_MS : patienceAloneMs;
      if (endedAt !== undefined && performance.now() - endedAt >= patienceMs) break;
      if (signals.stop.aborted) throw notFollowed(now, record.owner);
      if (endedAt !== undefined || record.exit !== undefined) await delay(END_MS);
      else await Promise.race([ended, stopped, delay(OWNER_MS)]);
    }
    await onEnd();
    waiting.abort();
    const told = await ending;
    const known = told && isGone && isRemovedAtEnd ? await toRemovedOutcome(told, exit) : told;
    const outcome = record.exit ?? withCause(known, record.stopCause);
    const startedAt = new Date(record.startedAtMs ?? Date.now());
    const durationMs = record.exit?.durationMs ?? Math.max(0, Date.now() - startedAt.getTime());
    // Its owner deletes the task. One that was left to itself keeps it, with its exit code.
    const task = { delete: async () => copying?.() };
    return await settleStep(
      context,
      { ...reopened, task, unwritable: [] },
      { outcome, startedAt, durationMs },
    );
  } finally {
    waiting.abort();
  }
}

/**
 * Sees to the output of a step that belongs to no process. If it runs, its end is sealed here; several
 * processes may do so, and the first seal counts.
 *
 * @returns what waits, after the step's end, until the shim has copied everything.
 */
async function joinOutput(
  { id, machine, release }: StepContext,
  io: ReopenedIo,
): Promise<() => Promise<void>> {
  const task = await ignoreNotFound(machine.client.tasks.get(id));
  const isRunning = task !== undefined && task.status !== "stopped";
  const isLocal = machine.facts.locality === "local";
  await io.takeOver();
  release.own(() => io.release());
  const isSealed = await io.attach({ pid: isRunning ? task.pid : undefined, isLocal });
  return async () => {
    if (!isSealed && isLocal) {
      const shims = (await listStepProcesses("shims")).filter(({ stepId }) => stepId === id);
      const pids = shims.map(({ pid }) => pid);
      if (pids.length > 0 && (await io.closedBy(pids, COPY_MS.seen))) return;
    }
    await arrivesWithin(io, isSealed ? COPY_MS.seen : COPY_MS.unseen);
  };
}

function refuseFifo(id: string, { output, owner }: StepRecord): void {
  if (output.mode !== "fifo") return;
  throw new ExecutorError(
    `the output of step ${id} goes through pipes, which only the process can read that has started it: ${owner}; allowed: a step without a terminal, of an executor with ioMode "file"`,
    { kind: "refused" },
  );
}

/** The owner may have removed the record before it was read. */
function withCause(seen: ExitOutcome | undefined, stopCause: StepEndCause | undefined): ExitOutcome {
  const outcome = seen ?? { exitCode: null, cause: "unknown", oomKills: 0, usage: UNKNOWN_USAGE };
  return { ...outcome, cause: stopCause ?? outcome.cause };
}

function notFollowed(step: RecordedStep, owner: string): ExecutorError {
  const where = isLeft(step) ? "by itself" : `in process ${owner}, which started it`;
  return new ExecutorError(`step ${step.id} is no longer followed from here; it goes on ${where}`, {
    kind: "aborted",
  });
}

/** Resolves when a signal is aborted. Stops to listen when the other one is. */
function stopOf(signal: AbortSignal, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true, signal: until });
  });
}
