import type { Client } from "@wfe-containerd/client";
import { openWorkspace, type StepInput } from "@wfe-containerd/executor";
import { printableLine } from "./printable.js";
import type { StepFile } from "./step-file.js";
import type { WorkspaceMount } from "./step-file-workspace.js";

/**
 * Whether all steps run as the same user, as far as the file tells it: a name may be another user in another
 * image.
 */
export function haveOneUser(steps: readonly StepInput[]): boolean {
  const users = steps.map(({ user = "65534:65534", image, userNamespace = "" }) => {
    const text = String(user);
    return [text, /^\d+(?::\d+)?$/.test(text) ? "" : image, userNamespace].join("\0");
  });
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
  const users = session === undefined ? steps : steps.map((step) => ({ ...session, ...step }));
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
