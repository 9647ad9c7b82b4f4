import { type Client, type ExitStatus, isContainerdError } from "@wfe-containerd/client";
import type { StepEndCause } from "../core/output/cause.js";
import { UNKNOWN_USAGE } from "../core/output/usage.js";
import { ExecutorError } from "../error.js";
import type { Counters } from "./counters.js";
import { isShimGone, isTaskKnown } from "./delete-process.js";
import type { Process } from "./process.js";
import { processName } from "./process-id.js";

/** How a process ended. */
export interface ExitOutcome extends Counters {
  /** 0 to 255; null if it is lost. */
  readonly exitCode: number | null;
  readonly cause: StepEndCause;
}

/** Nobody knows it, nor whether the process was started. */
export const LOST: ExitOutcome = { exitCode: null, cause: "unknown", oomKills: 0, usage: UNKNOWN_USAGE };

/**
 * Finds out how a process ended. Call it before the process is deleted.
 *
 * @param stopReason why we stopped it; undefined if it ended by itself.
 */
export async function toExitOutcome(
  client: Client,
  process: Process,
  exit: Promise<ExitStatus>,
  stopReason: StepEndCause | undefined,
): Promise<ExitOutcome> {
  const status = await exitStatus(client, process, exit);
  if (typeof status === "string")
    return { exitCode: null, cause: stopReason ?? status, oomKills: 0, usage: UNKNOWN_USAGE };
  const { exitCode } = status;
  const counters = await process.counters(exitCode);
  return { ...counters, exitCode, cause: stopReason ?? causeOf(exitCode, counters) };
}

/**
 * How a process ended whose task was removed before the daemon could be asked for it: then its status was
 * taken for one that the daemon had made up.
 */
export async function toRemovedOutcome(
  outcome: ExitOutcome,
  exit: Promise<ExitStatus>,
): Promise<ExitOutcome> {
  if (outcome.cause !== "runtime-lost") return outcome;
  return exit.then(
    ({ exitCode }) => ({ ...outcome, exitCode, cause: causeOf(exitCode, outcome) }),
    () => outcome,
  );
}

function causeOf(exitCode: number, { oomKills }: Counters): StepEndCause {
  if (exitCode === 137 && oomKills > 0) return "oom";
  return exitCode > 128 && exitCode <= 128 + 64 ? "signal" : "exit";
}

/** The exit status, or the reason that it is not known. A failed call never counts as an exit. */
async function exitStatus(
  client: Client,
  { id }: Process,
  exit: Promise<ExitStatus>,
): Promise<ExitStatus | "runtime-lost" | "unknown"> {
  let status: ExitStatus;
  try {
    status = await exit;
  } catch (reason) {
    if (isContainerdError(reason, "data-loss")) return "unknown";
    if (isContainerdError(reason, "not-found") || isShimGone(reason)) return "runtime-lost";
    throw new ExecutorError(
      `the exit status of ${processName(id)} could not be read, and it may still run: ${messageOf(reason)}`,
      {
        kind: "daemon-unavailable",
        cause: reason,
      },
    );
  }
  // If the shim has died, the daemon makes up one of these two codes. If the code is real, the daemon still
  // knows the task.
  if (status.exitCode !== 137 && status.exitCode !== 255) return status;
  return (await isTaskKnown(client, id.containerId)) ? status : "runtime-lost";
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
