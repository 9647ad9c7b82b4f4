import type { Client, Mount, Snapshot } from "@wfe-containerd/client";
import type { WorkflowData } from "../core/output/workflow-data.js";
import type { PlanInput } from "../core/plan/plan.js";
import { toHostUser } from "../core/spec/user.js";
import type { Secret } from "../core/step/secret.js";
import { volumeUses } from "../core/step/volume.js";
import { resolveUser } from "../image/resolve-user.js";
import type { StepImage } from "../image/step-image.js";
import { createSeal } from "../io/seal.js";
import { logLimitOf } from "../log/log-limit.js";
import { findHostCapabilities } from "../machine/host-capabilities.js";
import type { Machine } from "../machine/machine.js";
import { type OutputDirectory, ownOutput } from "../resources/acquire.js";
import { runtimeOf } from "../resources/apply-policy.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { type CheckedSource, checkSources } from "../resources/mount-sources.js";
import { openVolumes } from "../volumes/open-volumes.js";
import type { StepContext } from "./context.js";
import type { LeasedStep } from "./lease.js";
import { openImage } from "./open-image.js";

/** A step of which everything that it names was found: all that a plan needs. */
export interface ResolvedStep extends PlanInput {
  readonly machine: Machine;
  readonly image: StepImage;
  /** Calls with it use the step's lease. */
  readonly leased: Client;
  /** The user of the step's process, with the ids that it has on the daemon's machine. */
  readonly hostUser: HostUser;
  readonly sources: readonly CheckedSource[];
  /** What marks the end of its output. */
  readonly seal: Uint8Array;
  readonly output: OutputDirectory;
  /** The mounts of the step's snapshot, if it is made already. */
  readonly rootfs?: Mount[] | undefined;
}

/** What a step gets besides its own fields. */
export interface StepValues {
  readonly secrets: readonly Secret[];
  readonly data: WorkflowData;
  readonly isSession: boolean;
  /** The snapshot that the session is started from, in place of an image. */
  readonly from?: Snapshot | undefined;
}

/**
 * Finds everything that a step names: image, user, volumes, and what it needs of the machine. Its lease is
 * there, so nothing that is found from now on is collected as garbage.
 */
export async function resolveStep(
  context: StepContext,
  { step: allowed, run, labels, ioDirectory, leased, known }: LeasedStep,
  { from, ...values }: StepValues,
): Promise<ResolvedStep> {
  const { id, executor, machine, signals, release, streams } = context;
  const output = ownOutput(ioDirectory, release);
  const { image, baseLayer, rootfs } = await openImage(context, leased, allowed, known, labels, from);
  const user = await resolveUser(leased, image, allowed, {
    readUserFiles: executor.readUserFiles,
    signal: signals.stop,
  });
  const host = await findHostCapabilities(machine, allowed, user);
  const hostUser = toHostUser(user, host.userNamespace);
  const volumes = await openVolumes(leased, id, volumeUses(allowed), hostUser);
  // Checked again: during a pull there is time to replace a source by a link.
  const { step, sources } = await checkSources(machine, allowed, executor.rules);
  const log = logLimitOf(allowed, executor.logLimit);
  const seal = createSeal();
  return {
    ...values,
    ...host,
    terminal: streams.terminal,
    runtime: runtimeOf(allowed, executor.rules),
    id,
    machine,
    labels,
    ioDirectory,
    record: {
      owner: await executor.owner(),
      log,
      mode: streams.terminal === undefined || streams.canOutlive === true ? executor.io.mode : "fifo",
      openStdin: streams.openStdin === true,
      seal: Buffer.from(seal).toString("hex"),
      ...(run && { run }),
    },
    seal,
    output,
    leased,
    step,
    sources,
    image,
    baseLayer,
    rootfs,
    user,
    hostUser,
    volumes,
  };
}
