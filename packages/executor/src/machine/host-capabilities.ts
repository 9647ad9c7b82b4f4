import type { Client } from "@wfe-containerd/client";
import type { UserNamespace } from "../core/spec/namespaces.js";
import type { ProcessUser } from "../core/spec/user.js";
import type { StepConfig } from "../core/step/step.js";
import { findInit } from "./init.js";
import { findUserNamespace, type IdRange } from "./user-namespace.js";

/** What the operator configured about the daemon's machine. */
export interface HostOptions {
  /**
   * The path of a static init program: tini, catatonit, docker-init. Default: on this machine, the usual
   * places of packages are searched.
   */
  readonly init?: string | undefined;
  /** The ids on that machine that steps with a user namespace are mapped to. */
  readonly userNamespace?: IdRange | undefined;
}

/** Finds what a step needs from the daemon's machine. */
export async function findHostCapabilities(
  client: Client,
  step: StepConfig,
  user: ProcessUser,
  { init, userNamespace = {} }: HostOptions,
): Promise<{ init: string | undefined; userNamespace: UserNamespace | undefined }> {
  return {
    init: await findInit(client, step, init),
    userNamespace: await findUserNamespace(client, step, user, userNamespace),
  };
}
