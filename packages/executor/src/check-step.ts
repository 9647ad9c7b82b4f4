import { type Policy, type PolicyOptions, parsePolicy } from "./core/policy/policy.js";
import { parseStep } from "./core/step/parse-step.js";
import type { StepConfig } from "./core/step/step.js";
import type { StepInput } from "./core/step/step-input.js";
import { applyPolicy } from "./resources/apply-policy.js";

/**
 * Checks a step as `start` does, without a daemon: whether it is valid, and whether a policy allows it. What
 * depends on the daemon's machine, such as its own directories, is checked only when the step runs.
 *
 * @param policy Default: `DEFAULT_POLICY`.
 * @throws ExecutorError `invalid-step` or `refused`, with an issue for everything that is wrong.
 * @example
 * ```ts
 * checkStep({ name: "build", image: "alpine:3.20", run: "make" });
 * ```
 */
export function checkStep(input: StepInput, policy: Policy | PolicyOptions = {}): StepConfig {
  const step = parseStep(input);
  applyPolicy(step, { policy: parsePolicy(policy), ioDirectories: [], programs: [] });
  return step;
}
