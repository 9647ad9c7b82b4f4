import { parseReference } from "@wfe-containerd/client";
import {
  checkPolicy,
  limitStep,
  type PolicySubject,
  type Refusal,
  refuseAll,
} from "../core/policy/check-policy.js";
import type { Policy } from "../core/policy/policy.js";
import type { HostVolume, StepConfig } from "../core/step/step.js";
import { isStepId } from "../step-id.js";

/** What a step's wishes are measured by. */
export interface Rules {
  readonly policy: Policy;
  /**
   * Where executors keep steps' output. A directory in one may well be a volume: on a share it is the one place that both machines see.
   * That of another step's output may not.
   */
  readonly ioDirectories: readonly string[];
  /** What root runs on the daemon's machine, or other steps do: the bridge's plugins and notes, the init program. */
  readonly programs: readonly string[];
}

/**
 * Refuses a step that asks for more than the operator allows, as far as its words tell: before any daemon hears of it.
 *
 * @returns the step, with the policy's limits where it says none.
 * @throws ExecutorError `refused`, with everything that is refused, and which key of a policy could allow it.
 */
export function applyPolicy(step: StepConfig, rules: Rules): StepConfig {
  refuseAll(checkStep(step, rules));
  return limitStep(step, rules.policy);
}

/**
 * All that is refused of a step.
 *
 * @param daemonsPlaces where the daemon itself is.
 */
export function checkStep(
  step: StepConfig,
  { policy, ioDirectories, programs }: Rules,
  daemonsPlaces: readonly string[] = [],
): Refusal[] {
  const subject: PolicySubject = { ...step, registry: registryOf(step) };
  return [
    ...checkPolicy(subject, policy, { forbiddenSources: [...programs, ...daemonsPlaces] }),
    ...checkOutputs(step.volumes, ioDirectories),
  ];
}

/**
 * Other clients may have given a local image a name that is not a reference, and that no registry knows. A policy that names registries then refuses it.
 *
 * @throws ContainerdError for a name that is not a reference, where only a registry could have it.
 */
function registryOf({ image, pull }: StepConfig): string {
  try {
    return parseReference(image).domain;
  } catch (reason) {
    if (pull === "always") throw reason;
    return image;
  }
}

function checkOutputs(volumes: StepConfig["volumes"], ioDirectories: readonly string[]): Refusal[] {
  return volumes
    .filter(({ source }) => ioDirectories.some((directory) => holdsOutput(source, directory)))
    .map(({ index }) => ({
      field: `volumes[${index}].source`,
      message: "it holds the output of steps",
      policyKey: undefined,
    }));
}

function holdsOutput(source: HostVolume["source"], directory: string): boolean {
  if (`${directory}/`.startsWith(source === "/" ? source : `${source}/`)) return true;
  return (
    source.startsWith(`${directory}/`) && isStepId(source.slice(directory.length + 1).split("/")[0] ?? "")
  );
}
