import { realpath } from "node:fs/promises";
import { type Client, parseReference } from "@wfe-containerd/client";
import { enforcePolicy } from "../core/check-policy.js";
import type { Policy } from "../core/policy.js";
import type { StepConfig } from "../core/step.js";

/**
 * Refuses a step that asks for more than the operator allows.
 *
 * Of a daemon on this machine the sources of volumes are looked at as they are behind their links; of one elsewhere only as they are
 * written, so allow there only directories in which nobody else makes links.
 *
 * @param own directories of the executor's own, which no step may mount.
 * @throws ExecutorError `refused`, with everything that is refused, and which key of a policy could allow it.
 */
export async function applyPolicy(
  client: Client,
  step: StepConfig,
  policy: Policy,
  own: readonly string[],
): Promise<void> {
  const subject = { ...step, registry: parseReference(step.image).domain };
  const context = { forbiddenSources: own };
  enforcePolicy(subject, policy, context);
  if (!client.isLocal || step.volumes.length === 0) return;
  const volumes = await Promise.all(
    // What is not there fails later, in the runtime's words.
    step.volumes.map(async ({ source }) => ({ source: await realpath(source).catch(() => source) })),
  );
  enforcePolicy({ ...subject, volumes }, policy, context);
}
