import type { AllowedStep } from "../core/plan/checked-step.js";
import type { UserNamespace } from "../core/spec/namespaces.js";
import type { ProcessUser } from "../core/spec/user.js";
import { findInit } from "./init.js";
import type { Machine } from "./machine.js";
import { findUserNamespace } from "./user-namespace.js";

/** What a step uses of the daemon's machine. */
export interface HostCapabilities {
  readonly init: string | undefined;
  readonly userNamespace: UserNamespace | undefined;
}

/** Finds what a step needs from the daemon's machine. */
export async function findHostCapabilities(
  machine: Machine,
  step: AllowedStep,
  user: ProcessUser,
): Promise<HostCapabilities> {
  return {
    init: await findInit(machine, step),
    userNamespace: await findUserNamespace(machine, step, user),
  };
}
