import { type Client, type ExitStatus, isContainerdError } from "@wfe-containerd/client";
import type { StepEndCause } from "../core/output/cause.js";
import type { StepPlan } from "../core/plan/plan.js";
import { ExecutorError } from "../error.js";
import { isShimGone } from "./delete-task.js";
import { countOomKills } from "./oom.js";

/** How a task ended. */
export interface ExitOutcome {
  /** Null when nobody can know it any more. */
  readonly exitCode: number | null;
  readonly cause: StepEndCause;
  /** Processes of the container that the kernel killed for want of memory. */
  readonly oomKills: number;
}

/**
 * Tells how a task ended; to be asked before it is deleted.
 *
 * @param stopReason why we stopped it; undefined when it ended by itself.
 */
export async function toExitOutcome(
  client: Client,
  plan: StepPlan,
  exit: Promise<ExitStatus>,
  stopReason: StepEndCause | undefined,
): Promise<ExitOutcome> {
  const status = await exitStatus(client, plan.id, exit);
  if (typeof status === "string") return { exitCode: null, cause: stopReason ?? status, oomKills: 0 };
  const { exitCode } = status;
  const oomKills = await countOomKills(client, plan, exitCode);
  if (stopReason !== undefined) return { exitCode, cause: stopReason, oomKills };
  if (exitCode === 137 && oomKills > 0) return { exitCode, cause: "oom", oomKills };
  return { exitCode, cause: exitCode > 128 && exitCode <= 128 + 64 ? "signal" : "exit", oomKills };
}

/** The status, or why there is none. A failed call is never taken for an exit. */
async function exitStatus(
  client: Client,
  id: string,
  exit: Promise<ExitStatus>,
): Promise<ExitStatus | "runtime-lost" | "unknown"> {
  let status: ExitStatus;
  try {
    status = await exit;
  } catch (reason) {
    if (isContainerdError(reason, "data-loss")) return "unknown";
    if (isContainerdError(reason, "not-found") || isShimGone(reason)) return "runtime-lost";
    throw new ExecutorError(`the exit status of container ${id} could not be had`, {
      kind: "daemon-unavailable",
      cause: reason,
    });
  }
  // For a task whose shim died the daemon makes up one of these two; a real one is still known to the shim.
  if (status.exitCode !== 137 && status.exitCode !== 255) return status;
  const isKnown = await client.tasks.get(id).then(
    () => true,
    (reason: unknown) => !isContainerdError(reason, "not-found"),
  );
  return isKnown ? status : "runtime-lost";
}
