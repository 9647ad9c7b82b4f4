import { isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { abandonedSteps } from "./abandoned.js";
import type { FoundStep } from "./found-step.js";

/**
 * Whether a living executor claims a step. Undefined if this process cannot know: the executor ran on another
 * machine, or in another PID namespace (another container).
 */
export async function isClaimed({
  id,
  labels,
}: Pick<FoundStep, "id" | "labels">): Promise<boolean | undefined> {
  if (abandonedSteps.has(id)) return false;
  const owner = labels[LABELS.owner];
  // Of such a step only a task is left. An executor removes a task before its container and its lease.
  if (owner === undefined) return false;
  const isGone = await isOwnerGone(owner);
  return isGone === undefined ? undefined : !isGone;
}
