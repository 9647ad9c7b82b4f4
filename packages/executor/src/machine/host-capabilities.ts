import type { Client } from "@wfe-containerd/client";
import type { UserNamespace } from "../core/spec/namespaces.js";
import type { ProcessUser } from "../core/spec/user.js";
import type { StepConfig } from "../core/step/step.js";
import { findInit } from "./init.js";
import { findUserNamespace, type IdRange } from "./user-namespace.js";

/** What the operator says of the daemon's machine. */
export interface HostOptions {
  /** Where it has a static init program: tini, catatonit, docker-init. Default: looked for where packages put them, on this machine only. */
  readonly init?: string | undefined;
  /** Which of its ids stand behind those of steps with a user namespace. */
  readonly userNamespace?: IdRange | undefined;
}

/** What a step needs that the daemon's machine has, or does not. */
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
