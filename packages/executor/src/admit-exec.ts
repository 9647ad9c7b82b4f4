import type { AllowedStep } from "./core/plan/checked-step.js";
import { isSessionLabelled } from "./core/plan/labels.js";
import { SECRETS_DIRECTORY } from "./core/policy/reserved-paths.js";
import { refuse } from "./core/refuse.js";
import { parseExec } from "./core/step/exec.js";
import { matchSecrets, type Secret, type SecretValues } from "./core/step/secret.js";
import { applyPolicy, type Rules } from "./resources/apply-policy.js";
import type { HostContainer } from "./stages/create-exec.js";

/** A further process in a container that passed all checks. */
export interface AdmittedExec {
  readonly step: AllowedStep;
  /** Its own; a step of a session can have some. */
  readonly secrets: readonly Secret[];
}

/**
 * Checks a further process in a container. Its user and groups are the step's, unless it has its own.
 *
 * @param values of its secrets.
 * @throws ExecutorError `invalid-step`, and `refused` for what the policy does not allow.
 */
export function admitExec(
  process: unknown,
  container: HostContainer,
  rules: Rules,
  values: SecretValues = {},
): AdmittedExec {
  const { step } = container.resolved;
  const asked = parseExec(process, step, isSessionLabelled(container.plan.container.labels));
  const allowed = applyPolicy(
    { ...asked, user: asked.user ?? step.user, groupAdd: [...step.groupAdd, ...asked.groupAdd] },
    rules,
  );
  const { mounts } = container.task.spec;
  if (asked.secrets.length > 0 && !mounts.some(({ destination }) => destination === SECRETS_DIRECTORY))
    refuse(
      "secrets",
      "this session has no memory for secrets of its steps: it has a user namespace or a kernel of its own, or an older version has opened it",
      "secrets of a session without these; or secrets given to open, for all its steps",
    );
  return { step: allowed, secrets: matchSecrets(asked.secrets, values) };
}
