import { dirname } from "node:path";
import { isContainerdError } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { StepEndCause } from "../core/output/cause.js";
import { findWarnings, type UnwritableVolume, type WarnedPlan } from "../core/output/find-warnings.js";
import { findLogWarnings } from "../core/output/log-warnings.js";
import { endReason } from "../core/output/reason.js";
import type { StepResult } from "../core/output/result.js";
import type { StepLog, StreamEnd } from "../core/output/step-log.js";
import type { StepPlan } from "../core/plan/plan.js";
import { arrivesWithin } from "../io/arrives-within.js";
import type { OutputEnd, StepIo } from "../io/io.js";
import { readToEnd } from "../io/read-to-end.js";
import type { Recorder } from "../log/recorder.js";
import type { Process } from "../process/process.js";
import type { RecordKeeper } from "../record/record-keeper.js";
import type { Release } from "../resources/release.js";
import { startTimerAfter } from "../timer.js";
import type { StepContext } from "./context.js";
import type { EndedStep } from "./run.js";

/** An ended step whose output is not read to its end. */
export interface SettlingStep {
  readonly plan: WarnedPlan & Pick<StepPlan, "name">;
  readonly task: Pick<Process, "delete">;
  readonly io: StepIo;
  readonly recorder: Recorder;
  readonly unwritable: readonly UnwritableVolume[];
  /** Undefined: another process writes the step's record, or it has the end already. */
  readonly keeper?: RecordKeeper | undefined;
  /** Whether output was lost before this process began to read it. */
  readonly isLateReader?: boolean | undefined;
}

/** Reads the output of an ended step to its end, and makes the result. */
export async function settleStep(
  { id, signals, events, release }: StepContext,
  { plan, task, io, recorder, unwritable, keeper, isLateReader = false }: SettlingStep,
  { outcome, startedAt, durationMs }: EndedStep,
): Promise<StepResult> {
  // The result is known. What another process would need of it must not take it away from this one, nor delay
  // it. Only with the task's deletion containerd forgets how it ended.
  const recorded = recordEnd(keeper, { ...outcome, durationMs }, id, release);
  release.own(async () => recorded);
  await io.seal();
  const deleteTask = async (): Promise<void> => {
    if (!(await recorded) && (await arrivesWithin(io, ARRIVING_MS))) return;
    await task.delete();
  };
  const isCopied = io.completeAfter !== "delete" || (await isCopiedOf(io, deleteTask, signals.forceKill));
  const end = await readToEnd(io, signals.forceKill);
  const recording = recorder.finish(isCopied ? end : doubt(end), isLateReader);
  const { exitCode, oomKills, usage } = outcome;
  const cause = causeOf(outcome.cause, recording.log);
  const warnings = [
    ...findWarnings(plan, { ...outcome, cause, ...recording }, unwritable),
    ...findLogWarnings({
      log: recording.log,
      directory: dirname(io.stdio.stdout),
      maxLogBytes: recorder.limit.maxBytes,
      isOverLimit: recorder.isOverLimit,
    }),
  ];
  for (const warning of warnings) events.push({ type: "warning", ...warning });
  return {
    name: plan.name,
    ok: cause === "exit" && exitCode === 0,
    exitCode,
    cause,
    reason: endReason({ cause, exitCode, oomKills }),
    oomKills,
    usage,
    ...recording,
    truncated: recording.truncated || cause === "log-io-failed",
    warnings,
    startedAt,
    durationMs,
    attempts: [{ id, cause, exitCode, durationMs }],
  };
}

/**
 * Writes a step's end to its record. If that fails, because the daemon's disk is full or for another reason,
 * it is written again before the release deletes the task. Never rejects.
 *
 * @returns whether the task may be deleted.
 */
async function recordEnd(
  keeper: RecordKeeper | undefined,
  exit: Parameters<RecordKeeper["exited"]>[0],
  id: string,
  release: Release,
): Promise<boolean> {
  if (keeper === undefined) return true;
  // Somebody who has removed the container does not ask for its end.
  const record = (): Promise<unknown> => ignoreNotFound(keeper.exited(exit));
  try {
    await record();
    return true;
  } catch {
    release.add({ kind: "task", id }, record);
    return false;
  }
}

/** How long output may take that the shim has copied, in milliseconds. */
const ARRIVING_MS = 5_000;

/** How long to wait for the deletion of the task after a kill, in milliseconds. */
const DELETE_AFTER_KILL_MS = 2_000;

/**
 * Deletes the task. Nobody waits for that if everything has arrived before.
 *
 * @returns false if the shim may not have copied everything.
 */
async function isCopiedOf(
  io: StepIo,
  deleteTask: () => Promise<void>,
  forceKill: AbortSignal,
): Promise<boolean> {
  return Promise.race([io.arrived.then(() => true), deleteInTime(deleteTask, forceKill)]);
}

/**
 * Deletes the task, so that the shim has copied all output. If that fails, the outcome of the step is known
 * nevertheless, and the release deletes the task later.
 *
 * @returns false if the shim may not have copied everything.
 */
async function deleteInTime(deleteTask: () => Promise<void>, forceKill: AbortSignal): Promise<boolean> {
  const late = startTimerAfter(forceKill, DELETE_AFTER_KILL_MS);
  const deleted = deleteTask().then(
    () => true,
    // The shim copies first, and calls runc then. So a failure of runc has lost nothing.
    (reason: unknown) => isContainerdError(reason) && reason.kind !== "unavailable",
  );
  try {
    return await Promise.race([deleted, late.fired.then(() => false)]);
  } finally {
    late.cancel();
  }
}

/** As long as the shim may still copy, bytes that are missing are not lost for certain. */
function doubt({ stdout, stderr }: OutputEnd): OutputEnd {
  const unlessWhole = (end: StreamEnd): StreamEnd => (end === "whole" ? end : "unknown");
  return { stdout: unlessWhole(stdout), stderr: unlessWhole(stderr) };
}

/** A step may end by itself before we notice that its output is lost. */
function causeOf(cause: StepEndCause, { gaps }: StepLog): StepEndCause {
  const isLost = gaps.some(({ reason }) => reason === "not-stored");
  return isLost && (cause === "exit" || cause === "signal") ? "log-io-failed" : cause;
}
