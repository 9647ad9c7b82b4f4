import { checkAttempt, type RunAttempt } from "./core/recovery/run-attempt.js";
import { ExecutorError } from "./error.js";
import type { StartOptions } from "./executor-options.js";
import { attemptId, createStepId } from "./step-id.js";

/** The id of a step that is started, and the attempt that it follows from. */
export interface StartedAttempt {
  readonly id: string;
  /** Undefined: the caller has not named it. The id is random. */
  readonly attempt: StartedRun | undefined;
  /** Why the options do not name an attempt. */
  readonly error?: unknown;
}

/** An attempt, and how long its result stays after its release, in milliseconds. */
export interface StartedRun extends RunAttempt {
  readonly keepResultMs?: number | undefined;
}

/** Never throws: the handle of a step rejects instead. */
export function startAttempt(
  step: unknown,
  {
    runId,
    key,
    attempt = 1,
    keepResultMs,
  }: Pick<StartOptions, "runId" | "key" | "attempt" | "keepResultMs"> = {},
): StartedAttempt {
  try {
    if (runId === undefined) {
      refuseWithoutRun({ key, attempt: attempt === 1 ? undefined : attempt, keepResultMs });
      return { id: createStepId(), attempt: undefined };
    }
    const named = { runId, key: key ?? nameOf(step), attempt };
    checkAttempt(named);
    checkKeepResult(keepResultMs);
    return { id: attemptId(named), attempt: { ...named, keepResultMs: keepResultMs || undefined } };
  } catch (error) {
    return { id: createStepId(), attempt: undefined, error };
  }
}

function refuseWithoutRun(options: Readonly<Record<string, unknown>>): void {
  const [name] = Object.entries(options).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined) return;
  throw new ExecutorError(
    `start: ${name}: is given without a run; allowed: runId with it; example: runId: "build-7"`,
    { kind: "invalid-argument" },
  );
}

/** A year. Whoever needs a result for longer has stored it. */
const LONGEST_KEPT_MS = 366 * 24 * 60 * 60 * 1000;

function checkKeepResult(value: unknown): void {
  if (value === undefined || (typeof value === "number" && value >= 0 && value <= LONGEST_KEPT_MS)) return;
  throw new ExecutorError(
    `start: keepResultMs: ${String(value)} is not a time for which a result can stay; allowed: milliseconds from 0 to ${LONGEST_KEPT_MS}; example: 3600000`,
    { kind: "invalid-argument" },
  );
}

/** A step without a name is refused when it is parsed. */
function nameOf(step: unknown): string {
  const isNamed = typeof step === "object" && step !== null && "name" in step;
  return isNamed && typeof step.name === "string" && step.name !== "" ? step.name : "?";
}
