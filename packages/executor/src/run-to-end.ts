import type { StepResult } from "./core/output/result.js";
import type { RunOptions } from "./executor-options.js";
import { completeError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import type { ReleaseReport } from "./unreleased.js";

/** The result of `Executor.run`: with what could not be released yet. */
export interface RunResult extends StepResult, ReleaseReport {}

/**
 * Starts a step, tells its events, and waits until everything that it used is released.
 *
 * @throws ExecutorError if the step could not be run. It also tells what is left of the step.
 */
export async function runToEnd(
  start: (events: EventQueue) => StepHandle,
  onEvent: RunOptions["onEvent"],
): Promise<RunResult> {
  const events = createEventQueue();
  if (onEvent === undefined) events.discard();
  const handle = start(events);
  const follow = async (): Promise<StepResult> => {
    if (onEvent !== undefined) for await (const event of handle) await onEvent(event);
    return handle.result;
  };
  const [outcome] = await Promise.allSettled([follow()]);
  await handle[Symbol.asyncDispose]();
  const { unreleased } = await handle.closed;
  if (outcome.status === "rejected")
    throw unreleased.length > 0 ? completeError(outcome.reason, { unreleased }) : outcome.reason;
  return { ...outcome.value, unreleased };
}
