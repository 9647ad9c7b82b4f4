import { setTimeout as delay } from "node:timers/promises";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepResult } from "../core/output/result.js";
import { UNKNOWN_USAGE } from "../core/output/usage.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { ExecutorError } from "../error.js";
import { isTaskKnown } from "../process/delete-process.js";
import { type ExitOutcome, toExitOutcome } from "../process/exit-outcome.js";
import { firstProcess } from "../process/process.js";
import { findOwner, findRecorded, isSameStep, type RecordedStep } from "../record/recorded-step.js";
import type { Adoption } from "./adopt.js";
import type { StepContext } from "./context.js";
import { type ReopenedStep, readOutput, reopenOutput } from "./reopen.js";
import { settleStep } from "./settle.js";

/** How often to look whether the step's owner lives, in milliseconds. */
const OWNER_MS = 1_000;
/** How often to look at the record of a step that has ended, in milliseconds. Its owner removes it soon. */
const END_MS = 20;
/** How long its owner may take to remove the task, in milliseconds. Then the output is read as it is. */
const DELETE_MS = 30_000;

/** A step whose owner has ended while it was followed. */
export interface Orphaned {
  readonly step: RecordedStep;
  readonly reopened: ReopenedStep;
}

/**
 * Follows a step of a process that lives, and gives its result. It reads that process's files, and changes
 * nothing.
 *
 * @throws ExecutorError `aborted` if the following is stopped. The step goes on.
 */
export async function observeStep(
  context: StepContext,
  seen: RecordedStep,
  first: StepRecord,
  { masked, onStart, onEnd, reopened: known }: Adoption,
): Promise<StepResult | Orphaned> {
  const { id, machine, signals } = context;
  if (first.output.mode === "fifo") {
    throw new ExecutorError(
      `runId: step ${id} is run by process ${first.owner}, and its output goes through pipes, which only that process can read; allowed: ioMode "file" in its executor`,
      { kind: "refused" },
    );
  }
  const io = known?.io ?? (await reopenOutput(context, first));
  onStart();
  const reopened = known ?? (await readOutput(context, io, first, seen.container?.spec, masked));
  const process = firstProcess(machine, id);
  const waiting = new AbortController();
  const own = toExitOutcome(machine.client, process, process.wait(waiting.signal), undefined);
  const ending = own.then(
    (outcome) => outcome,
    () => undefined,
  );
  let endedAt: number | undefined;
  const ended = ending.then(() => {
    endedAt = performance.now();
  });
  try {
    let record = first;
    for (;;) {
      const now = await findRecorded(machine.client, id);
      if (now?.found.kind !== "record" || !isSameStep(seen, now)) break;
      record = now.found.record;
      const isOver = record.exit !== undefined && !(await isTaskKnown(machine.client, id));
      if (isOver || (endedAt !== undefined && performance.now() - endedAt > DELETE_MS)) break;
      if ((await findOwner(now)) === undefined) return { step: now, reopened };
      if (signals.stop.aborted) throw notFollowed(id, record.owner);
      if (endedAt !== undefined || record.exit !== undefined) await delay(END_MS);
      else await Promise.race([ended, stopOf(signals.stop, waiting.signal), delay(OWNER_MS)]);
    }
    onEnd();
    waiting.abort();
    const outcome = record.exit ?? withCause(await ending, record.stopCause);
    const startedAt = new Date(record.startedAtMs ?? Date.now());
    const durationMs = record.exit?.durationMs ?? Math.max(0, Date.now() - startedAt.getTime());
    // Its owner deletes the task.
    const task = { delete: async () => undefined };
    return await settleStep(
      context,
      { ...reopened, task, unwritable: [] },
      { outcome, startedAt, durationMs },
    );
  } finally {
    waiting.abort();
  }
}

/** The owner may have removed the record before it was read. */
function withCause(seen: ExitOutcome | undefined, stopCause: StepEndCause | undefined): ExitOutcome {
  const outcome = seen ?? { exitCode: null, cause: "unknown", oomKills: 0, usage: UNKNOWN_USAGE };
  return { ...outcome, cause: stopCause ?? outcome.cause };
}

function notFollowed(id: string, owner: string): ExecutorError {
  return new ExecutorError(
    `step ${id} is no longer followed from here; it goes on in process ${owner}, which started it`,
    { kind: "aborted" },
  );
}

/** Resolves when a signal is aborted. Stops to listen when the other one is. */
function stopOf(signal: AbortSignal, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true, signal: until });
  });
}
