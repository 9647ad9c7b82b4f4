import { type Client, type ExitStatus, isContainerdError } from "@wfe-containerd/client";
import { isSignal } from "@wfe-containerd/client/internal";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepPlan } from "../core/plan/plan.js";
import type { StepIo } from "../io/io.js";
import { feedStdin } from "../io/stdin.js";
import type { StdinSource } from "../io/stdin-source.js";
import { startTimer } from "../timer.js";
import { isShimGone } from "./delete-process.js";
import { type ExitOutcome, LOST, toExitOutcome } from "./exit-outcome.js";
import type { Patience } from "./patience.js";
import type { Process } from "./process.js";
import { startError } from "./start-error.js";
import { leftError, type StopSignals } from "./stop-signals.js";

/** How a process runs. */
export interface RunOptions extends StopSignals {
  readonly patience: Patience;
  /** What it reads. Undefined: nothing. */
  readonly stdin: StdinSource | undefined;
}

/** The parts of a plan that the end of its process depends on. */
export type EndPlan = Pick<StepPlan, "timeoutMs" | "stopSignal" | "stopGraceMs">;

/** Called before a process is sent its stop signal. Must not reject. */
export type OnStop = (cause: StepEndCause) => Promise<void>;

/**
 * Starts a created process and waits until it has ended: by itself, by its time-out, by the caller's abort,
 * or because its output can no longer be stored.
 *
 * @param onStart gets the process id on the daemon's machine, and what resolves when the process has ended.
 * Undefined: the daemon or the shim died when it was asked to start the process, and nobody knows whether it
 * did.
 */
export async function runProcess(
  client: Client,
  process: Process,
  plan: StepPlan,
  io: StepIo,
  { stdin, ...signals }: RunOptions,
  onStart: (pid: number | undefined, exit: Promise<unknown>) => void,
  onStop: OnStop = async () => undefined,
): Promise<ExitOutcome> {
  const waiting = new AbortController();
  // Sent before the start, so that the end of even the shortest step is not missed.
  const exit = process.wait(waiting.signal);
  exit.catch(() => undefined);
  try {
    signals.patience.setGrace(plan.stopGraceMs);
    const started = await startUnlessLost(process, plan, signals.patience);
    const isLost = typeof started === "string";
    onStart(isLost ? undefined : started, exit);
    refuseIfLeft(signals, process);
    if (isLost) return { ...LOST, cause: started };
    const feeding = feed(stdin, process, io, exit);
    const stopReason = await firstStopReason(plan, io, signals, exit, feeding);
    refuseIfLeft(signals, process);
    const wasStopped =
      stopReason !== undefined && (await stop(process, plan, signals, { exit, stopReason, onStop }));
    const outcome = await toExitOutcome(client, process, exit, wasStopped ? stopReason : undefined);
    await feeding;
    return outcome;
  } finally {
    waiting.abort();
  }
}

/**
 * Starts a process. If the daemon was down meanwhile, it may be that the process was started before, and that
 * the next daemon does not know it, or that it cannot be started again. A shim that dies before it answers
 * may have started it, too.
 *
 * @returns its process id; the cause of its end if nobody knows whether it was started.
 */
async function startUnlessLost(
  process: Process,
  plan: StepPlan,
  patience: Patience,
): Promise<number | "unknown" | "runtime-lost"> {
  const outagesBefore = patience.outages;
  try {
    return await process.start();
  } catch (reason) {
    if (isContainerdError(reason, "data-loss")) return "unknown";
    if (isShimGone(reason)) return "runtime-lost";
    const error = startError(reason, plan);
    if (error.kind === "runtime" && patience.outages > outagesBefore) return "unknown";
    throw error;
  }
}

/**
 * Waits until a process has ended that another executor has started, as {@link runProcess} does.
 *
 * @param stopCause why that executor was stopping it.
 */
export async function followProcess(
  client: Client,
  process: Process,
  plan: EndPlan,
  io: StepIo,
  signals: StopSignals & { readonly patience: Patience },
  onStop: OnStop,
  stopCause: StepEndCause | undefined,
): Promise<ExitOutcome> {
  const waiting = new AbortController();
  const exit = process.wait(waiting.signal);
  exit.catch(() => undefined);
  try {
    signals.patience.setGrace(plan.stopGraceMs);
    const stopReason = stopCause ?? (await firstStopReason(plan, io, signals, exit));
    refuseIfLeft(signals, process);
    const wasStopped =
      stopReason !== undefined && (await stop(process, plan, signals, { exit, stopReason, onStop }));
    // That executor may have sent the signal.
    const isStopped = wasStopped || stopCause !== undefined;
    return await toExitOutcome(client, process, exit, isStopped ? stopReason : undefined);
  } finally {
    waiting.abort();
  }
}

interface Stopping {
  readonly exit: Promise<ExitStatus>;
  readonly stopReason: StepEndCause;
  readonly onStop: OnStop;
}

/** @returns whether a signal may have been delivered. */
async function stop(
  process: Process,
  plan: EndPlan,
  { patience, forceKill }: StopSignals & { readonly patience: Patience },
  { exit, stopReason, onStop }: Stopping,
): Promise<boolean> {
  patience.end();
  await onStop(stopReason);
  return process.stop({
    // An image may contain an invalid stop signal. docker then uses SIGTERM too.
    signal: isSignal(plan.stopSignal) ? plan.stopSignal : "SIGTERM",
    graceMs: stopReason === "log-io-failed" ? 0 : plan.stopGraceMs,
    exited: exit,
    forceKill: aborted(forceKill),
  });
}

async function feed(
  stdin: StdinSource | undefined,
  process: Process,
  { stdio, hasInput = false }: StepIo,
  ended: Promise<ExitStatus>,
): Promise<void> {
  if (stdin === undefined || hasInput) return;
  await feedStdin(stdin, {
    path: stdio.stdin,
    ended,
    close: () => process.closeStdin(),
    isTerminal: stdio.terminal,
  });
}

/** @throws ExecutorError `aborted` if the step was left to itself. */
function refuseIfLeft({ leave }: StopSignals, { id }: Process): void {
  if (leave?.aborted === true) throw leftError(id.containerId);
}

/** Why the step must be stopped; undefined if its process ended first, or if it was left to itself. */
async function firstStopReason(
  plan: EndPlan,
  io: StepIo,
  signals: StopSignals,
  exit: Promise<ExitStatus>,
  feeding: Promise<void> = Promise.resolve(),
): Promise<StepEndCause | undefined> {
  const timer = plan.timeoutMs === undefined ? undefined : startTimer(plan.timeoutMs);
  const reasons: Promise<StepEndCause | undefined>[] = [
    exit.then(
      () => undefined,
      () => undefined,
    ),
    io.failed.catch((): StepEndCause => "log-io-failed"),
    aborted(signals.stop).then((): StepEndCause => "aborted"),
    ...(signals.leave === undefined ? [] : [aborted(signals.leave).then(() => undefined)]),
    new Promise((resolve) => {
      feeding.catch(() => resolve("aborted"));
    }),
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
