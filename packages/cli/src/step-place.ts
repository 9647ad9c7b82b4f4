import type {
  Executor,
  SecretValues,
  SessionEnd,
  StepHandle,
  StepInput,
  WorkflowData,
} from "@wfe-containerd/executor";
import { CAUSE_TEXTS } from "./exit-code.js";
import { createEventTeller } from "./follow.js";
import type { StepFile } from "./step-file.js";
import { inWorkspace, type WorkspaceMount } from "./step-file-workspace.js";

/** Where the steps of a file run: each in a container of its own, or all in that of a session. */
export interface StepPlace extends AsyncDisposable {
  start(step: StepInput, options: { readonly data: WorkflowData; readonly signal: AbortSignal }): StepHandle;
  /** Why no step can run in it any more. Waits for it: to be called when a step has found it so. */
  readonly ended?: Promise<string>;
}

export interface StepPlaceOptions {
  readonly secrets: SecretValues;
  readonly workspace: WorkspaceMount | undefined;
  /** Ends the opening. Later it has no effect. */
  readonly signal: AbortSignal;
  /** Whether to show the pull of a session's image. */
  readonly progress: boolean;
}

/** @throws ExecutorError if the container of the session cannot be made. */
export async function openStepPlace(
  executor: Executor,
  { session: container }: Pick<StepFile, "session">,
  { secrets, workspace, signal, progress }: StepPlaceOptions,
): Promise<StepPlace> {
  const placed = <T extends object>(step: T): T =>
    workspace === undefined ? step : inWorkspace(step, workspace);
  if (container === undefined)
    return {
      start: (step, options) => executor.start(placed(step), { ...options, secrets }),
      async [Symbol.asyncDispose]() {},
    };
  const opening = new AbortController();
  const stop = (): void => opening.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    const session = await executor.open(placed(container), {
      secrets,
      signal: opening.signal,
      onEvent: createEventTeller(progress),
    });
    return {
      start: ({ image: _, ...step }, options) => session.start(step, { ...options, secrets }),
      ended: session.ended.then((end) => `session ${session.name}: ${endText(end)}`),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function endText({ reason, error }: SessionEnd): string {
  const text =
    error?.message ??
    (reason === "signal" ? "somebody killed it" : CAUSE_TEXTS[reason as keyof typeof CAUSE_TEXTS]);
  return `its container has ended: ${text ?? reason}`;
}
