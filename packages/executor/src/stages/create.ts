import type { Mount } from "@wfe-containerd/client";
import type { UnwritableVolume } from "../core/output/find-warnings.js";
import type { StepPlan } from "../core/plan/plan.js";
import { maskedValues } from "../core/step/secret.js";
import { ExecutorError } from "../error.js";
import { findBlockingUserFile } from "../image/resolve-user.js";
import type { StepIo } from "../io/io.js";
import { logLimitOf } from "../log/log-limit.js";
import { createRecorder, type Recorder } from "../log/recorder.js";
import { type CreatedTask, createTask } from "../process/create-task.js";
import { acquire } from "../resources/acquire.js";
import { chownWorkingDir } from "../resources/chown-working-dir.js";
import { injectSecrets } from "../resources/inject-secrets.js";
import { confirmSources } from "../resources/mount-sources.js";
import { findUnwritable, type VolumeUser } from "../resources/volume-access.js";
import type { StepContext } from "./context.js";
import type { ResolvedStep } from "./resolve.js";

/** A step whose snapshot, container record and output files exist. Its output is being read. */
export interface PreparedStep {
  readonly resolved: ResolvedStep;
  readonly plan: StepPlan;
  readonly rootfs: Mount[];
  readonly io: StepIo;
  readonly recorder: Recorder;
}

/** A step whose task exists and can be started: its mounts were checked, and its secrets are in place. */
export interface CreatedStep {
  readonly plan: StepPlan;
  readonly task: CreatedTask;
  readonly io: StepIo;
  readonly recorder: Recorder;
  readonly unwritable: readonly UnwritableVolume[];
}

/** Acquires what a task needs, and starts to read the output. */
export async function prepareStep(
  { machine, executor, events, log, release }: StepContext,
  resolved: ResolvedStep,
  plan: StepPlan,
): Promise<PreparedStep> {
  const { step, leased, ioDirectory, secrets } = resolved;
  const { rootfs, io } = await acquire(
    { client: machine.client, leased },
    plan,
    ioDirectory,
    () => executor.io.create(machine, ioDirectory),
    release,
  );
  const limit = logLimitOf(step, executor.logLimit);
  const recorder = createRecorder({
    events,
    log,
    store: io.takeStore(),
    captureBytes: executor.captureBytes,
    limit,
    masked: maskedValues(secrets),
    onLimit: () => io.fail(new ExecutorError("the step printed more than its limit", { kind: "io" })),
  });
  io.read(recorder.sink, recorder.onBacklog);
  return { resolved, plan, rootfs, io, recorder };
}

/** Creates the task. None of the step's code runs yet. */
export async function createStep(
  { machine, executor, release }: StepContext,
  { resolved, plan, rootfs, io, recorder }: PreparedStep,
): Promise<CreatedStep> {
  const { step, sources, leased, image, hostUser, secrets } = resolved;
  const task = await createTask(machine, plan, rootfs, io, release, () =>
    findBlockingUserFile(leased, image, executor.readUserFiles),
  );
  // Otherwise the deletion of a task that is given up would wait for us.
  release.own(() => io.release());
  await io.attach({ pid: task.pid, isLocal: machine.facts.locality === "local" });
  await confirmSources(task, sources);
  await chownWorkingDir({ leased, machine }, task, step, plan.container.spec, rootfs, hostUser);
  await injectSecrets(leased, task, secrets, hostUser);
  const unwritable = await findUnwritable(machine, plan, volumeUser(resolved));
  return { plan, task, io, recorder, unwritable };
}

/**
 * Groups from the image's files are mapped like the user. In a user namespace only the user's own group is
 * certain.
 */
function volumeUser({ user, hostUser: { uid, gid }, userNamespace }: ResolvedStep): VolumeUser {
  return { uid, gids: userNamespace === undefined ? [gid, ...(user.additionalGids ?? [])] : [gid] };
}
