import { type Client, isContainerdError, type ResolvedImage } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { type LeftStep, stepLabels } from "../core/plan/labels.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { volumesLabel, volumeUses } from "../core/step/volume.js";
import { logLimitOf } from "../log/log-limit.js";
import { allOf } from "../resources/acquire.js";
import { openLease } from "../resources/lease.js";
import type { Release } from "../resources/release.js";
import { type StepContext, toIoRequest } from "./context.js";

/** A step whose lease is there. Its id, and all that is made with that id, is this process's. */
export interface LeasedStep {
  readonly step: AllowedStep;
  /** Which attempt of which run it is. Undefined: its caller has not said it. */
  readonly run: StepRecord["run"];
  readonly labels: Readonly<Record<string, string>>;
  /** Directory of its output, which is not made yet. */
  readonly ioDirectory: string;
  /** Calls with it use the step's lease. */
  readonly leased: Client;
  /** What the name of its image means, if an earlier step has found it. It is looked at again. */
  readonly known: ResolvedImage | undefined;
}

/** An attempt of a step, and what its caller said of it. */
export interface AttemptedStep {
  readonly step: AllowedStep;
  readonly run: StepRecord["run"];
  readonly left: LeftStep | undefined;
  readonly isSession: boolean;
}

/**
 * Opens the lease of a step, before anything else of it is found or made. Meanwhile the daemon is asked what
 * the image's name means; what that found is looked at again under the lease.
 *
 * @returns undefined if the attempt of a run has a lease already: another start has made it.
 */
export async function leaseStep(
  context: StepContext,
  { step, run, left, isSession }: AttemptedStep,
): Promise<LeasedStep | undefined> {
  const { id, executor, machine, release } = context;
  executor.io.check(machine, toIoRequest(context));
  logLimitOf(step, executor.logLimit);
  const { client } = machine;
  const [owner, ioDirectory] = await Promise.all([executor.owner(), machine.ioDirectory.forStep(client, id)]);
  const labels = stepLabels(step, { owner, ioDirectory, left, isSession });
  const leaseLabels = { ...labels, ...volumesLabel(volumeUses(step)) };
  let isTaken = false;
  const unlessTaken: Pick<Release, "add"> = {
    add: (lease, undo) => release.add(lease, async () => (isTaken ? undefined : undo())),
  };
  const opened = openLease(client, id, leaseLabels, unlessTaken).catch((reason: unknown) => {
    if (run === undefined || !isContainerdError(reason, "already-exists")) throw reason;
    isTaken = true;
    return undefined;
  });
  const asked = executor.knownImages.find(client, step, machine.facts.platform);
  const [leased, known] = await allOf(opened, asked);
  return leased && { step, run, labels, ioDirectory, leased, known };
}
