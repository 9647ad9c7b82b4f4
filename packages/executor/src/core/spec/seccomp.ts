import { isKernelAtLeast } from "./kernel.js";
import type { Seccomp, SeccompArgument, SeccompSyscall } from "./spec.js";

/**
 * Conditions of a rule. In `when`, all conditions that are given must be met; in `unless`, none may be met.
 */
export interface SeccompCondition {
  /** The daemon's architecture is one of these, named as in image platforms: `amd64`, `arm64`, `386`, ... */
  readonly architectures?: readonly string[] | undefined;
  /** In `when`, all of these must be in the bounding set. In `unless`, one of them is enough. */
  readonly capabilities?: readonly string[] | undefined;
  /** The daemon's kernel has this version or a later one. */
  readonly kernel?: readonly [major: number, minor: number] | undefined;
}

/** What the filter does with some system calls. */
export interface SeccompRule {
  readonly syscalls: readonly string[];
  /** Default `SCMP_ACT_ALLOW`. */
  readonly action?: string | undefined;
  readonly errno?: number | undefined;
  /** All of them must match. */
  readonly args?: readonly SeccompArgument[] | undefined;
  readonly when?: SeccompCondition | undefined;
  readonly unless?: SeccompCondition | undefined;
}

/** A seccomp profile with its conditions. `createSeccomp` resolves them for one step on one daemon. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrno?: number | undefined;
  /**
   * Filter architectures, by the daemon's architecture. An architecture without an entry gets only its native
   * filter.
   */
  readonly architectures: Readonly<Record<string, readonly string[]>>;
  readonly rules: readonly SeccompRule[];
}

/** The facts that a profile's conditions refer to. */
export interface SeccompFacts {
  /** The bounding set: every capability that the step, or a set-uid program in it, can ever have. */
  readonly capabilities: readonly string[];
  /** The daemon's architecture, named as in image platforms. */
  readonly architecture: string;
  readonly kernelVersion?: string | undefined;
}

/**
 * Returns the rules of a profile that apply to a step. An unknown kernel counts as older than every version
 * that a rule names.
 */
export function createSeccomp(profile: SeccompProfile, facts: SeccompFacts): Seccomp {
  const architectures = profile.architectures[facts.architecture];
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrno === undefined ? {} : { defaultErrnoRet: profile.defaultErrno }),
    ...(architectures === undefined ? {} : { architectures: [...architectures] }),
    syscalls: profile.rules.filter((rule) => isInForce(rule, facts)).map(toSyscall),
  };
}

function isInForce({ when = {}, unless = {} }: SeccompRule, facts: SeccompFacts): boolean {
  const holds = (name: string): boolean => facts.capabilities.includes(name);
  const isKernel = ([major, minor]: readonly [number, number]): boolean =>
    isKernelAtLeast(facts.kernelVersion, major, minor);
  if (when.architectures !== undefined && !when.architectures.includes(facts.architecture)) return false;
  if (when.capabilities !== undefined && !when.capabilities.every(holds)) return false;
  if (when.kernel !== undefined && !isKernel(when.kernel)) return false;
  if (unless.architectures?.includes(facts.architecture)) return false;
  if (unless.capabilities?.some(holds)) return false;
  return unless.kernel === undefined || !isKernel(unless.kernel);
}

function toSyscall({ syscalls, action = "SCMP_ACT_ALLOW", errno, args = [] }: SeccompRule): SeccompSyscall {
  return {
    names: [...syscalls],
    action,
    ...(errno === undefined ? {} : { errnoRet: errno }),
    ...(args.length === 0 ? {} : { args: [...args] }),
  };
}
