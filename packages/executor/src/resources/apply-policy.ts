import { parseReference } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { DEFAULT_RUNTIME, type Runtime, type Runtimes } from "../core/plan/runtime.js";
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

/** The limits that a step is checked against. */
export interface Rules {
  readonly policy: Policy;
  /**
   * Directories in which executors make a directory for each step's output. Other directories in them may be
   * volumes: a share may be the only directory that both machines see. The output of a step may not.
   */
  readonly ioDirectories: readonly string[];
  /**
   * Paths on the daemon's machine that no step may change: programs that root or other steps run (the
   * bridge's plugins, the init program), and the bridge's data.
   */
  readonly programs: readonly string[];
  /** The runtimes that steps may name. Undefined: it is not known which. */
  readonly runtimes?: Runtimes | undefined;
}

/** The runtime of an allowed step. */
export function runtimeOf({ runtime }: Pick<StepConfig, "runtime">, { runtimes }: Rules): Runtime {
  return runtimes?.[runtime ?? "runc"] ?? DEFAULT_RUNTIME;
}

/**
 * Refuses a step that asks for more than the operator allows. Uses only the step's own text, before any call
 * to a daemon.
 *
 * @returns the step, with the policy's limits for the fields that it leaves out.
 * @throws ExecutorError `refused`, with everything that is refused, and the policy keys that could allow it.
 */
export function applyPolicy(step: StepConfig, rules: Rules): AllowedStep {
  refuseAll(checkStep(step, rules));
  return limitStep(step, rules.policy) as AllowedStep;
}

/**
 * Lists everything in a step that is refused.
 *
 * @param daemonsPlaces paths of the daemon's own files: its socket, its images and snapshots.
 */
export function checkStep(
  step: StepConfig,
  { policy, ioDirectories, programs, runtimes }: Rules,
  daemonsPlaces: readonly string[] = [],
): Refusal[] {
  const subject: PolicySubject = { ...step, registry: registryOf(step) };
  return [
    ...checkPolicy(subject, policy, { forbiddenSources: [...programs, ...daemonsPlaces] }),
    ...checkOutputs(step.volumes, ioDirectories),
    ...(runtimes === undefined ? [] : checkRuntime(step, runtimes)),
  ];
}

/**
 * The registry of the step's image. A local image may have a name that is not a reference, given by another
 * client. No registry knows such a name, so it is returned as it is, and a policy that lists registries
 * refuses it.
 *
 * @throws ContainerdError if the name is not a reference and the image must come from a registry.
 */
function registryOf({ image, pull }: StepConfig): string {
  try {
    return parseReference(image).domain;
  } catch (reason) {
    if (pull === "always") throw reason;
    return image;
  }
}

function checkRuntime({ runtime = "runc", secrets }: StepConfig, runtimes: Runtimes): Refusal[] {
  const known = Object.hasOwn(runtimes, runtime) ? runtimes[runtime] : undefined;
  if (known === undefined)
    return [
      {
        field: "runtime",
        message: `${JSON.stringify(runtime)} is not among the operator's runtimes`,
        policyKey: undefined,
        allowed: Object.keys(runtimes).join(", "),
      },
    ];
  if (!known.sandboxed || secrets.length === 0) return [];
  return [
    {
      field: "secrets",
      message: `no secret can be put into a container of ${runtime}, which has a kernel of its own`,
      policyKey: undefined,
      allowed: "a step without secrets; or a runtime such as runc or crun",
    },
  ];
}

function checkOutputs(volumes: StepConfig["volumes"], ioDirectories: readonly string[]): Refusal[] {
  return volumes
    .filter(({ source }) => ioDirectories.some((directory) => holdsOutput(source, directory)))
    .map(({ index, source }) => ({
      field: `volumes[${index}].source`,
      message: `${JSON.stringify(source)} contains the output of steps`,
      policyKey: undefined,
    }));
}

function holdsOutput(source: HostVolume["source"], directory: string): boolean {
  if (`${directory}/`.startsWith(source === "/" ? source : `${source}/`)) return true;
  return (
    source.startsWith(`${directory}/`) && isStepId(source.slice(directory.length + 1).split("/")[0] ?? "")
  );
}
