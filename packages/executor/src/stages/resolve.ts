import type { Client, ResolvedImage } from "@wfe-containerd/client";
import type { WorkflowData } from "../core/output/workflow-data.js";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { stepLabels } from "../core/plan/labels.js";
import type { PlanInput } from "../core/plan/plan.js";
import { toHostUser } from "../core/spec/user.js";
import type { Secret } from "../core/step/secret.js";
import { volumesLabel, volumeUses } from "../core/step/volume.js";
import { resolveUser } from "../image/resolve-user.js";
import { logLimitOf } from "../log/log-limit.js";
import { findHostCapabilities } from "../machine/host-capabilities.js";
import type { Machine } from "../machine/machine.js";
import { allOf } from "../resources/acquire.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { openLease } from "../resources/lease.js";
import { type CheckedSource, checkSources } from "../resources/mount-sources.js";
import { openVolumes } from "../volumes/open-volumes.js";
import type { StepContext } from "./context.js";
import { openImage } from "./open-image.js";

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
 * first, so that nothing that is found from then on is collected as garbage. Meanwhile the daemon is asked
 * what the image's name means; what that found is looked at again under the lease.
 */
export async function resolveStep(
  context: StepContext,
  allowed: AllowedStep,
  values: StepValues,
): Promise<ResolvedStep> {
  const { id, executor, machine, signals, release } = context;
  executor.io.check(machine);
  logLimitOf(allowed, executor.logLimit);
  const [owner, ioDirectory] = await Promise.all([
    executor.owner(),
    machine.ioDirectory.forStep(machine.client, id),
  ]);
  const labels = stepLabels(allowed, { owner, ioDirectory });
  const uses = volumeUses(allowed);
  const [leased, known] = await allOf(
    openLease(machine.client, id, { ...labels, ...volumesLabel(uses) }, release),
    executor.knownImages.find(machine.client, allowed, machine.facts.platform),
  );
  const { image, baseLayer } = await openImage(context, { leased, leaseId: id }, allowed, known);
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
    baseLayer,
    user,
    hostUser,
    volumes,
  };
}
