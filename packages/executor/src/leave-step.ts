import { LABELS, type LeftStep } from "./core/plan/labels.js";
import { refuse } from "./core/refuse.js";
import type { ExecHost } from "./exec-host.js";
import { checkAfterEnd } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";

/** A step that is left to itself while it runs. */
export interface LeavingStep extends Pick<StepHandle, "started" | "closed" | "result"> {
  readonly host: ExecHost;
  /** Whether it was started so that it can go on without this process. */
  readonly canOutlive: boolean;
  /** Whether this process runs it. Otherwise it only follows the step of another executor. */
  isOwn(): boolean;
  /** Stops to follow it. */
  leave(): void;
}

/**
 * Leaves a running step to itself. From the label on, no process takes it over, and none removes it while it
 * runs.
 *
 * @throws ExecutorError `refused` if it cannot be left, or has ended.
 */
export async function leaveStep(step: LeavingStep, afterEnd: LeftStep): Promise<void> {
  const { host, started, closed, result, canOutlive, isOwn, leave } = step;
  checkAfterEnd("leave", afterEnd);
  if (!canOutlive) refuseToLeave();
  await started;
  const { plan, resolved } = host.look();
  if (!isOwn())
    refuse(
      "leave",
      "another executor runs the step, and it is only followed here",
      "leave() where it runs; to stop to follow it: dispose of its handle",
    );
  const { containers } = resolved.machine.client;
  try {
    await containers.setLabels(plan.id, { [LABELS.left]: afterEnd });
  } catch (reason) {
    throw toExecutorError(reason);
  }
  leave();
  await closed;
  const hasEnded = await result.then(
    () => true,
    () => false,
  );
  if (hasEnded) refuse("leave", "the step has ended", "a step that runs; await its result");
}

/** Also for a handle of something that is no step of its own. */
export function refuseToLeave(): never {
  refuse(
    "leave",
    "it was not started so that it can go on without this process",
    "a step of start with canLeave: true; to leave one that is attached to: dispose of its handle; a process in a step: detachExec",
  );
}
