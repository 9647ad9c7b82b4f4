import type { Client, ResolvedImage } from "@wfe-containerd/client";
import type { WorkflowData } from "../core/output/workflow-data.js";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { stepLabels } from "../core/plan/labels.js";
import type { PlanInput } from "../core/plan/plan.js";
import { toHostUser } from "../core/spec/user.js";
import type { Secret } from "../core/step/secret.js";
import { volumesLabel, volumeUses } from "../core/step/volume.js";
import { resolveImage } from "../image/resolve-image.js";
import { resolveUser } from "../image/resolve-user.js";
import { logLimitOf } from "../log/log-limit.js";
import { findHostCapabilities } from "../machine/host-capabilities.js";
import type { Machine } from "../machine/machine.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { openLease } from "../resources/lease.js";
import { type CheckedSource, checkSources } from "../resources/mount-sources.js";
import { openVolumes } from "../volumes/open-volumes.js";
import type { StepContext } from "./context.js";

/** A step of which everything that it names was found: all that a plan needs. */
export interface ResolvedStep extends PlanInput {
  readonly machine: Machine;
  readonly image: ResolvedImage;
  /** Calls with it use the step's lease. */
  readonly leased: Client;
  /** The user of the step's process, with the ids that it has on the daemon's machine. */
  readonly hostUser: HostUser;
  readonly sources: readonly CheckedSource[];
}

/** What a step gets besides its own fields. */
export interface StepValues {
  readonly secrets: readonly Secret[];
  readonly data: WorkflowData;
}

/**
 * Finds everything that a step names: image, user, volumes, and what it needs of the machine. The lease comes
 * first, so that nothing that is found from then on is collected as garbage.
 */
export async function resolveStep(
  { id, executor, machine, signals, events, release }: StepContext,
  allowed: AllowedStep,
  values: StepValues,
): Promise<ResolvedStep> {
  executor.io.check(machine);
  logLimitOf(allowed, executor.logLimit);
  const [owner, ioDirectory] = await Promise.all([
    executor.owner(),
    machine.ioDirectory.forStep(machine.client, id),
  ]);
  const labels = stepLabels(allowed, { owner, ioDirectory });
  const uses = volumeUses(allowed);
  const leased = await openLease(machine.client, id, { ...labels, ...volumesLabel(uses) }, release);
  const image = await resolveImage(leased, allowed, {
    platform: machine.facts.platform,
    pull: executor.pull,
    signal: signals.stop,
    onProgress: (progress) => void events.push(progress),
  });
  const user = await resolveUser(leased, image, allowed, {
    readUserFiles: executor.readUserFiles,
    signal: signals.stop,
  });
  const host = await findHostCapabilities(machine, allowed, user);
  const hostUser = toHostUser(user, host.userNamespace);
  const volumes = await openVolumes(leased, id, uses, hostUser);
  // Checked again: during a pull there is time to replace a source by a link.
  const { step, sources } = await checkSources(machine, allowed, executor.rules);
  return {
    ...values,
    ...host,
    id,
    machine,
    labels,
    ioDirectory,
    leased,
    step,
    sources,
    image,
    user,
    hostUser,
    volumes,
  };
}
