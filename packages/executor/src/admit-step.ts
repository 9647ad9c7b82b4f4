import type { WorkflowData } from "./core/output/workflow-data.js";
import type { AllowedStep } from "./core/plan/checked-step.js";
import type { LeftStep } from "./core/plan/labels.js";
import type { StepRecord } from "./core/recovery/step-record.js";
import { requireThat } from "./core/refuse.js";
import { parseStep } from "./core/step/parse-step.js";
import { matchSecrets, type Secret, type SecretValues } from "./core/step/secret.js";
import { spellError, spellingOf } from "./core/step/spelling.js";
import type { StepConfig } from "./core/step/step.js";
import type { ExecutorError } from "./error.js";
import { hashStep } from "./record/hash-step.js";
import { applyPolicy, type Rules } from "./resources/apply-policy.js";
import type { StartedRun } from "./start-attempt.js";

/** What the caller of a step gives. */
export interface StepRequest {
  /** The step, not yet parsed. */
  readonly input: unknown;
  /** Refuses unknown options of the call that started the step, and a closed executor. */
  checkCall(): void;
  /** Values of the workflow. They become environment variables. */
  readonly data: WorkflowData;
  /** Values of the secrets that the step may name. */
  readonly secrets: SecretValues;
  /** Which attempt of which run it is. Undefined: the caller has not said it. */
  readonly attempt: StartedRun | undefined;
  /** Whether the step stays, when it was left to itself and has ended. Undefined: it is not left. */
  readonly left: LeftStep | undefined;
}

/** A step that may be run: it is checked as far as that is possible without a daemon. */
export interface AdmittedStep {
  readonly step: AllowedStep;
  /** The step as its caller wrote it. Errors use these words. */
  readonly input: unknown;
  readonly data: WorkflowData;
  /** The secrets that the step names. */
  readonly secrets: readonly Secret[];
  /** Which attempt of which run it is, and a hash of each field. */
  readonly run: StepRecord["run"];
  /** Undefined: it is not left to itself as soon as its process runs. */
  readonly left: LeftStep | undefined;
}

/**
 * Checks a step before it waits for its turn, so that a mistake in it is told at once.
 *
 * @throws ExecutorError
 */
export function admitStep(
  { input, checkCall, data, secrets, attempt, left }: StepRequest,
  rules: Rules,
): AdmittedStep {
  checkCall();
  const parsed = parseStep(input);
  if (attempt !== undefined)
    refuseRetry(parsed, "runId, whose attempts the caller counts", "start with the next attempt");
  if (left !== undefined) refuseRetry(parsed, "detach, which leaves the step to itself", "run");
  const step = applyPolicy(parsed, rules);
  const run = attempt && { ...attempt, fields: hashStep(parsed, data) };
  return { step, input, data, secrets: matchSecrets(step.secrets, secrets), run, left };
}

/** Another process could not know which of the attempts was the last one. */
function refuseRetry({ retry }: Pick<StepConfig, "retry">, other: string, instead: string): void {
  requireThat(
    retry.attempts <= 1,
    "retry",
    `cannot be used together with ${other}`,
    `a step without retry; or ${instead}`,
  );
}

/** Names fields as the caller typed them. What parses a step's input does so by itself. */
export function inWordsOf(input: unknown, error: ExecutorError): ExecutorError {
  return error.kind === "invalid-step" ? error : spellError(error, spellingOf(input));
}
