import type { Client, ExitStatus } from "@wfe-containerd/client";
import { isSignal } from "@wfe-containerd/client/internal";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepPlan } from "../core/plan/plan.js";
import type { StepIo } from "../io/io.js";
import { startTimer } from "../timer.js";
import { type ExitOutcome, toExitOutcome } from "./exit-outcome.js";
import type { Patience } from "./patience.js";
import type { Process } from "./process.js";
import { startError } from "./start-error.js";
import type { StopSignals } from "./stop-signals.js";

/** A daemon that is just coming back is waited for this long, in milliseconds, though the step is to end. */
const BACK_MS = 3_000;

/**
 * Starts a created process and waits until it has ended: by itself, by its time-out, by the caller's abort,
 * or because its output can no longer be stored.
 *
 * @param onStart gets the process id on the daemon's machine.
 */
export async function runProcess(
  client: Client,
  process: Process,
  plan: StepPlan,
  io: StepIo,
  { patience, ...signals }: StopSignals & { readonly patience: Patience },
  onStart: (pid: number) => void,
): Promise<ExitOutcome> {
  const waiting = new AbortController();
  // Sent before the start, so that the end of even the shortest step is not missed.
  const exit = process.wait(waiting.signal);
  exit.catch(() => undefined);
  try {
    patience.setGrace(Math.max(plan.stopGraceMs, BACK_MS));
    const pid = await process.start().catch((reason: unknown) => {
      throw startError(reason, plan);
    });
    onStart(pid);
    const stopReason = await firstStopReason(plan, io, signals, exit);
    if (stopReason !== undefined) patience.end();
    const wasStopped =
      stopReason !== undefined &&
      (await process.stop({
        // An image may contain an invalid stop signal. docker then uses SIGTERM too.
        signal: isSignal(plan.stopSignal) ? plan.stopSignal : "SIGTERM",
        graceMs: stopReason === "log-io-failed" ? 0 : plan.stopGraceMs,
        exited: exit,
        forceKill: aborted(signals.forceKill),
      }));
    return await toExitOutcome(client, process, exit, wasStopped ? stopReason : undefined);
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
