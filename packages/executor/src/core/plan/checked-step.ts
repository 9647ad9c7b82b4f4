import type { StepConfig } from "../step/step.js";

// Marks exist only for the compiler. A mark is a private member: no object literal has it, and a copy by
// spread loses it. So a step that was changed after its check is an unchecked step again.
declare class Allowed {
  private readonly allowed: true;
}
declare class Followed {
  private readonly followed: true;
}

/** A parsed step of which the policy allows everything. Only `applyPolicy` makes one. */
export type AllowedStep = StepConfig & Allowed;

/**
 * An allowed step whose volumes have the sources that were checked: links are resolved, unless the daemon is
 * on another machine. Only `checkSources` makes one.
 */
export type FollowedStep = AllowedStep & Followed;
