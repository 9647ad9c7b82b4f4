import { realpath } from "node:fs/promises";
import { type Client, parseReference } from "@wfe-containerd/client";
import { enforcePolicy } from "../core/check-policy.js";
import type { Policy } from "../core/policy.js";
import { refuse } from "../core/refuse.js";
import type { StepConfig } from "../core/step.js";
import { isStepId } from "../step-id.js";

/**
 * Refuses a step that asks for more than the operator allows.
 *
 * Of a daemon on this machine the sources of volumes are looked at as they are behind their links; of one elsewhere only as they are
 * written, so allow there only directories in which nobody else makes links.
 *
 * @param ioDirectories where executors keep steps' output. A directory in one may well be a volume: on a share it is the one place that
 * both machines see. That of another step's output may not.
 * @throws ExecutorError `refused`, with everything that is refused, and which key of a policy could allow it.
 */
export async function applyPolicy(
  client: Client,
  step: StepConfig,
  policy: Policy,
  ioDirectories: readonly string[],
): Promise<void> {
  const subject = { ...step, registry: parseReference(step.image).domain };
  refuseOutputs(step.volumes, ioDirectories);
  enforcePolicy(subject, policy);
  if (!client.isLocal || step.volumes.length === 0) return;
  const volumes = await Promise.all(
    // What is not there fails later, in the runtime's words.
    step.volumes.map(async ({ source }) => ({ source: await realpath(source).catch(() => source) })),
  );
  refuseOutputs(volumes, ioDirectories);
  enforcePolicy({ ...subject, volumes }, policy);
}

function refuseOutputs(
  volumes: readonly { readonly source: string }[],
  ioDirectories: readonly string[],
): void {
  for (const [index, { source }] of volumes.entries()) {
    const holdsOutput = ioDirectories.some(
      (directory) =>
        `${directory}/`.startsWith(source === "/" ? source : `${source}/`) ||
        (source.startsWith(`${directory}/`) &&
          isStepId(source.slice(directory.length + 1).split("/")[0] ?? "")),
    );
    if (holdsOutput)
      refuse(`volumes[${index}].source`, "it holds the output of steps", "a directory beside it");
  }
}
