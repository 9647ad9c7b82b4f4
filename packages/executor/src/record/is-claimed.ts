import { isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import type { FoundStep } from "./found-step.js";
import { findOwner, isLeft } from "./recorded-step.js";

/**
 * Whether a living executor claims a step, or it stays because it was left to itself. Undefined if this
 * process cannot know: the executor ran on another machine, or in another PID namespace (another container).
 */
export async function isClaimed({
  labels,
  status,
  recorded,
}: Pick<FoundStep, "labels" | "status" | "recorded">): Promise<boolean | undefined> {
  if (isLeft(recorded) && status !== "created")
    return labels[LABELS.left] === "keep" || (status !== undefined && status !== "stopped");
  const hasRecord = recorded.container !== undefined || recorded.lease !== undefined;
  // Only its snapshot is left, or its task. An executor removes a task before everything else.
  const owner = hasRecord ? await findOwner(recorded) : labels[LABELS.owner];
  if (owner === undefined) return false;
  const isGone = await isOwnerGone(owner);
  return isGone === undefined ? undefined : !isGone;
}
