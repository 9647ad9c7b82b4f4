import { isExecutorError, type LeftStep, type StepHandle, type StepResult } from "@wfe-containerd/executor";
import { type FollowOptions, follow } from "./follow.js";
import { reportFailure } from "./report-failure.js";

/** When a step is left, and what becomes of it then. */
export interface Leaving {
  /** Aborted when somebody types the keys for it. */
  readonly detached: AbortSignal;
  readonly afterEnd: LeftStep;
}

/** Follows a step as `follow` does, unless it is left to itself meanwhile. */
export async function followUnlessLeft(
  handle: StepHandle,
  options: FollowOptions,
  { detached, afterEnd }: Leaving,
): Promise<StepResult | "left"> {
  const leave = (): void => {
    handle.leave(afterEnd).catch((reason: unknown) => {
      // A step that has ended meanwhile is told as such.
      if (!isExecutorError(reason, "refused")) reportFailure(reason);
    });
  };
  detached.addEventListener("abort", leave, { once: true });
  try {
    return await follow(handle, options);
  } catch (reason) {
    if (detached.aborted && isExecutorError(reason, "aborted")) return "left";
    throw reason;
  } finally {
    detached.removeEventListener("abort", leave);
  }
}

/** Tells what to do with a step that was left. @returns the exit code, as docker's. */
export function tellLeft(id: string): number {
  console.error(`\nwfe-containerd: step ${id} goes on; attach returns to it`);
  return 0;
}
