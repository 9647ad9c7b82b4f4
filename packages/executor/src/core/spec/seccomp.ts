import { isKernelAtLeast } from "./kernel.js";
import type { Seccomp, SeccompArgument, SeccompSyscall } from "./spec.js";

/** When a rule holds; every condition that is given must be met. */
export interface SeccompCondition {
  /** The daemon's architecture is one of these, named as in image platforms: `amd64`, `arm64`, `386`, ... */
  readonly architectures?: readonly string[] | undefined;
  /** For `when`: all of them are in the bounding set. For `unless`: one of them is. */
  readonly capabilities?: readonly string[] | undefined;
  /** The daemon's kernel is this version or later. */
  readonly kernel?: readonly [major: number, minor: number] | undefined;
}

/** What happens to some system calls. */
export interface SeccompRule {
  readonly syscalls: readonly string[];
  /** `SCMP_ACT_ALLOW` unless said. */
  readonly action?: string | undefined;
  readonly errno?: number | undefined;
  /** All of them must hold. */
  readonly args?: readonly SeccompArgument[] | undefined;
  readonly when?: SeccompCondition | undefined;
  readonly unless?: SeccompCondition | undefined;
}

/** A seccomp profile with its conditions still in it, to be settled for one step on one daemon. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrno?: number | undefined;
  /** Filter architectures by the daemon's architecture; one that is not named gets its native filter only. */
  readonly architectures: Readonly<Record<string, readonly string[]>>;
  readonly rules: readonly SeccompRule[];
}

/** What a profile's conditions are about. */
export interface SeccompFacts {
  /** The bounding set: what the step, or a set-uid program in it, could come to hold. */
  readonly capabilities: readonly string[];
  /** The daemon's. */
  readonly architecture: string;
  readonly kernelVersion?: string | undefined;
}

/** The profile's rules that hold for a step. An unknown kernel is taken for one older than any that a rule asks for. */
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
