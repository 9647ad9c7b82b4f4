import type { AllowedStep } from "./core/plan/checked-step.js";
import { parseExec } from "./core/step/exec.js";
import { applyPolicy, type Rules } from "./resources/apply-policy.js";
import type { HostContainer } from "./stages/create-exec.js";

/**
 * Checks a further process in a container. Its user and groups are the step's, unless it has its own.
 *
 * @throws ExecutorError `invalid-step`, and `refused` for what the policy does not allow.
 */
export function admitExec(
  process: unknown,
  { resolved: { step } }: HostContainer,
  rules: Rules,
): AllowedStep {
  const asked = parseExec(process, step);
  return applyPolicy(
    { ...asked, user: asked.user ?? step.user, groupAdd: [...step.groupAdd, ...asked.groupAdd] },
    rules,
  );
}
