import type { Client } from "@wfe-containerd/client";
import { openWorkspace, parseStep, type StepConfig } from "@wfe-containerd/executor";
import { printableLine } from "./printable.js";
import type { StepFile } from "./step-file.js";
import type { WorkspaceMount } from "./step-file-workspace.js";

/**
 * Whether all steps run as the same user, as far as the file tells it: a name may be another user in another
 * image.
 */
export function haveOneUser(steps: readonly Pick<StepConfig, "user" | "image" | "userNamespace">[]): boolean {
  const users = steps.map(({ user = "65534:65534", image, userNamespace }) =>
    [user, /^\d+(?::\d+)?$/.test(user) ? "" : image, userNamespace].join("\0"),
  );
  return new Set(users).size <= 1;
}

/**
 * Makes the directory that the steps of a file share, if the file asks for one. At its disposal, removes it,
 * and tells on standard error if that is not possible.
 */
export async function openWorkspaceOf(
  { workspace: target, steps, session }: Pick<StepFile, "workspace" | "steps" | "session">,
  client: Client,
): Promise<(WorkspaceMount & AsyncDisposable) | undefined> {
  if (target === undefined) return undefined;
  const container = session && parseStep(session);
  const users = steps
    .map((step) => parseStep(step))
    .map((step) => (container === undefined ? step : { ...container, user: step.user ?? container.user }));
  const { name, close } = await openWorkspace(client, { shared: !haveOneUser(users) });
  return {
    name,
    target,
    async [Symbol.asyncDispose]() {
      await close().catch((reason: unknown) => {
        const why = printableLine(reason instanceof Error ? reason.message : String(reason));
        console.error(
          `wfe-containerd: not removed yet: workspace ${name}; \`wfe-containerd gc\` removes it later (${why})`,
        );
      });
    },
  };
}
