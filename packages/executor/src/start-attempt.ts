import { checkAttempt, type RunAttempt } from "./core/recovery/run-attempt.js";
import { ExecutorError } from "./error.js";
import type { StartOptions } from "./executor-options.js";
import { attemptId, createStepId } from "./step-id.js";

/** The id of a step that is started, and the attempt that it follows from. */
export interface StartedAttempt {
  readonly id: string;
  /** Undefined: the caller has not named it. The id is random. */
  readonly attempt: RunAttempt | undefined;
  /** Why the options do not name an attempt. */
  readonly error?: unknown;
}

/** Never throws: the handle of a step rejects instead. */
export function startAttempt(
  step: unknown,
  { runId, key, attempt = 1 }: Pick<StartOptions, "runId" | "key" | "attempt"> = {},
): StartedAttempt {
  try {
    if (runId === undefined) {
      refuseWithoutRun(key, attempt);
      return { id: createStepId(), attempt: undefined };
    }
    const named = { runId, key: key ?? nameOf(step), attempt };
    checkAttempt(named);
    return { id: attemptId(named), attempt: named };
  } catch (error) {
    return { id: createStepId(), attempt: undefined, error };
  }
}

function refuseWithoutRun(key: string | undefined, attempt: number): void {
  if (key === undefined && attempt === 1) return;
  throw new ExecutorError(
    `start: ${key === undefined ? "attempt" : "key"}: is given without a run; allowed: runId with it; example: runId: "build-7"`,
    { kind: "invalid-argument" },
  );
}

/** A step without a name is refused when it is parsed. */
function nameOf(step: unknown): string {
  const isNamed = typeof step === "object" && step !== null && "name" in step;
  return isNamed && typeof step.name === "string" && step.name !== "" ? step.name : "?";
}
