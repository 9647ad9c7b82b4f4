import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type Client, parseReference } from "@wfe-containerd/client";
import {
  checkPolicy,
  type PolicyContext,
  type PolicySubject,
  type Refusal,
  refuseAll,
} from "../core/check-policy.js";
import type { Policy } from "../core/policy.js";
import type { HostVolume, StepConfig } from "../core/step.js";
import { isStepId } from "../step-id.js";

/** What a step's wishes are measured by. */
export interface Rules {
  readonly policy: Policy;
  /**
   * Where executors keep steps' output. A directory in one may well be a volume: on a share it is the one place that both machines see.
   * That of another step's output may not.
   */
  readonly ioDirectories: readonly string[];
}

/**
 * Refuses a step that asks for more than the operator allows, as far as its words tell: before any daemon hears of it.
 *
 * @throws ExecutorError `refused`, with everything that is refused, and which key of a policy could allow it.
 */
export function applyPolicy(step: StepConfig, rules: Rules): void {
  refuseAll(check(toSubject(step), rules));
}

/**
 * Refuses volumes whose sources are links to where the policy does not let steps, or lead to the daemon's own files. Of a daemon on this machine only: of one elsewhere
 * sources are known as they are written, so allow there only directories in which nobody else makes links.
 *
 * @throws ExecutorError `refused`.
 */
export async function applyPolicyToLinks(client: Client, step: StepConfig, rules: Rules): Promise<void> {
  if (!client.isLocal || step.volumes.length === 0) return;
  const volumes = await Promise.all(
    step.volumes.map(async ({ source, index }) => ({ source: await resolveLinks(source), index })),
  );
  const forbiddenSources = await Promise.all((await placesOf(client)).map(resolveLinks));
  refuseAll(check({ ...toSubject(step), volumes }, rules, { forbiddenSources }));
}

/** What is not there fails later, in the runtime's words. */
async function resolveLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Where the daemon itself is: its socket, and the directories of images and snapshots that it tells of. Who has them owns its host. */
async function placesOf(client: Client): Promise<string[]> {
  const plugins = await client.introspection.plugins([
    "type==io.containerd.snapshotter.v1",
    "type==io.containerd.content.v1",
  ]);
  const roots = plugins.flatMap(({ exports }) => exports["root"] ?? []);
  return [
    client.address.slice("unix://".length),
    // Beside such a one are those of all other plugins.
    ...roots.map((root) => (basename(root).startsWith("io.containerd.") ? dirname(root) : root)),
  ];
}

function toSubject(step: StepConfig): PolicySubject {
  return { ...step, registry: parseReference(step.image).domain };
}

function check(
  subject: PolicySubject,
  { policy, ioDirectories }: Rules,
  context: PolicyContext = {},
): Refusal[] {
  return [...checkPolicy(subject, policy, context), ...checkOutputs(subject.volumes ?? [], ioDirectories)];
}

function checkOutputs(
  volumes: NonNullable<PolicySubject["volumes"]>,
  ioDirectories: readonly string[],
): Refusal[] {
  return volumes
    .filter(({ source }) => ioDirectories.some((directory) => holdsOutput(source, directory)))
    .map(({ index = 0 }) => ({
      field: `volumes[${index}].source`,
      message: "it holds the output of steps",
      policyKey: undefined,
    }));
}

function holdsOutput(source: HostVolume["source"], directory: string): boolean {
  if (`${directory}/`.startsWith(source === "/" ? source : `${source}/`)) return true;
  return (
    source.startsWith(`${directory}/`) && isStepId(source.slice(directory.length + 1).split("/")[0] ?? "")
  );
}
