import { expect, test } from "vitest";
import type { AllowedStep, FollowedStep } from "../core/plan/checked-step.js";
import { planStep } from "../core/plan/plan.js";
import { DEFAULT_POLICY } from "../core/policy/policy.js";
import { parseStep } from "../core/step/parse-step.js";
import type { Machine } from "../machine/machine.js";
import type { Machines } from "../machine/machines.js";
import { applyPolicy, type Rules } from "../resources/apply-policy.js";
import { checkSources } from "../resources/mount-sources.js";
import type { StepContext } from "./context.js";
import { createStep, type PreparedStep } from "./create.js";
import { leaseStep } from "./lease.js";
import { type ResolvedStep, resolveStep } from "./resolve.js";
import { runCreatedStep } from "./run.js";

const RULES: Rules = { policy: DEFAULT_POLICY, ioDirectories: [], programs: [] };
const parsed = parseStep({ name: "typed", image: "busybox", run: "true" });
const allowed = applyPolicy(parsed, RULES);

/** Never called: `npm run typecheck` fails if the compiler accepts one of these lines. */
const MISUSES = {
  of: (machines: Machines) => [
    // @ts-expect-error: the policy has not seen the step.
    machines.of(parsed),
    // @ts-expect-error: a copy with another field was not checked.
    machines.of({ ...allowed, privileged: true }),
  ],
  checkSources: (machine: Machine) => [
    // @ts-expect-error: the policy has not seen the step.
    checkSources(machine, parsed, RULES),
  ],
  leaseStep: (context: StepContext) => [
    // @ts-expect-error: the policy has not seen the step.
    leaseStep(context, parsed, undefined),
  ],
  resolveStep: (context: StepContext) => [
    // @ts-expect-error: it has no lease.
    resolveStep(context, allowed, { secrets: [], data: {}, isSession: false }),
  ],
  planStep: (resolved: ResolvedStep, followed: FollowedStep) => [
    // @ts-expect-error: the links in its volumes' sources were not followed.
    planStep({ ...resolved, step: allowed }),
    // @ts-expect-error: nobody checked these volumes.
    planStep({ ...resolved, step: { ...followed, volumes: parsed.volumes } }),
  ],
  createStep: (context: StepContext, resolved: ResolvedStep) => [
    // @ts-expect-error: its snapshot and container do not exist.
    createStep(context, resolved),
  ],
  runCreatedStep: (context: StepContext, prepared: PreparedStep) => [
    // @ts-expect-error: its task does not exist.
    runCreatedStep(context, prepared, () => undefined),
  ],
};

void MISUSES;

test("a step that was checked has no mark at run time: only the compiler tells it from another", () => {
  const step: AllowedStep = allowed;
  expect(Object.keys(step).sort()).toEqual(Object.keys(parsed).sort());
  expect(Object.getOwnPropertySymbols(step)).toEqual([]);
});
