import type { Client } from "@wfe-containerd/client";
import { isExecutorError, type ListedStep, listSteps, removeStep } from "@wfe-containerd/executor";
import { printableLine } from "./printable.js";
import { isAlive } from "./steps.js";

/** Whether a step of `run -d --rm` has ended: then it is to be removed. */
export function isOver(step: Pick<ListedStep, "afterEnd" | "status">): boolean {
  return step.afterEnd === "remove" && !isAlive(step);
}

/**
 * Removes a step if it was started with `run -d --rm` and has ended. It belongs to no process, so the command
 * that sees its end does that. A failure is told, and changes nothing else: the next `gc` tries it again.
 */
export async function removeIfOver(client: Client, id: string): Promise<void> {
  try {
    const step = (await listSteps(client)).find((each) => each.id === id);
    if (step !== undefined && isOver(step)) await removeOnce(client, id);
  } catch (reason) {
    const why = reason instanceof Error ? reason.message : String(reason);
    console.error(
      `wfe-containerd: step ${id} is not removed yet; \`wfe-containerd gc\` removes it later (${printableLine(why)})`,
    );
  }
}

/** Removes a step that another command may remove at the same time. */
export async function removeOnce(client: Client, id: string): Promise<void> {
  await removeStep(client, id).catch((reason: unknown) => {
    // It is gone.
    if (!isExecutorError(reason, "invalid-argument")) throw reason;
  });
}
