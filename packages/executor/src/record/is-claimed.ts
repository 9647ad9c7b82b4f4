import { isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import type { FoundStep } from "./found-step.js";
import { findOwner } from "./recorded-step.js";

/**
 * Whether a living executor claims a step. Undefined if this process cannot know: the executor ran on another
 * machine, or in another PID namespace (another container).
 */
export async function isClaimed({
  labels,
  recorded,
}: Pick<FoundStep, "labels" | "recorded">): Promise<boolean | undefined> {
  const hasRecord = recorded.container !== undefined || recorded.lease !== undefined;
  // Only its snapshot is left, or its task. An executor removes a task before everything else.
  const owner = hasRecord ? await findOwner(recorded) : labels[LABELS.owner];
  if (owner === undefined) return false;
  const isGone = await isOwnerGone(owner);
  return isGone === undefined ? undefined : !isGone;
}
