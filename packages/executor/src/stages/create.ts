import type { Mount } from "@wfe-containerd/client";
import type { UnwritableVolume } from "../core/output/find-warnings.js";
import type { StepPlan } from "../core/plan/plan.js";
import { later } from "../core/recovery/deadline.js";
import { maskedValues } from "../core/step/secret.js";
import { ExecutorError } from "../error.js";
import { findBlockingUserFile } from "../image/resolve-user.js";
import { OUTPUT_STREAMS, type OutputStream, type StepIo } from "../io/io.js";
import type { LogLimit } from "../log/log-limit.js";
import { createRecorder, type Recorder } from "../log/recorder.js";
import { type CreatedTask, createTask } from "../process/create-task.js";
import type { Process } from "../process/process.js";
import { readMoment } from "../record/clock.js";
import { keepRecord, type RecordKeeper } from "../record/record-keeper.js";
import { acquire, type DaemonTime } from "../resources/acquire.js";
import { chownWorkingDir } from "../resources/chown-working-dir.js";
import { injectSecrets } from "../resources/inject-secrets.js";
import { confirmSources } from "../resources/mount-sources.js";
import { findUnwritable, type VolumeUser } from "../resources/volume-access.js";
import { type StepContext, toIoRequest } from "./context.js";
import type { ResolvedStep } from "./resolve.js";

/** A step whose snapshot, container record and output files exist. Its output is being read. */
export interface PreparedStep {
  readonly resolved: ResolvedStep;
  readonly plan: StepPlan;
  readonly rootfs: Mount[];
  readonly io: StepIo;
  readonly recorder: Recorder;
  readonly daemonTime: DaemonTime;
}

/** A process that containerd has created and that can be started. Its output is being read. */
export interface CreatedProcess {
  readonly plan: StepPlan;
  readonly task: Process;
  readonly io: StepIo;
  readonly recorder: Recorder;
  /** Undefined for a further process in a container: another executor cannot take that over. */
  readonly keeper?: RecordKeeper | undefined;
  readonly unwritable: readonly UnwritableVolume[];
}

/** A step whose task exists and can be started: its mounts were checked, and its secrets are in place. */
export interface CreatedStep extends CreatedProcess {
  readonly resolved: ResolvedStep;
  readonly task: CreatedTask;
  readonly keeper: RecordKeeper;
}

/** Acquires what a task needs, and starts to read the output. */
export async function prepareStep(
  context: StepContext,
  resolved: ResolvedStep,
  plan: StepPlan,
): Promise<PreparedStep> {
  const { machine, executor, release } = context;
  const { leased, ioDirectory, secrets, seal } = resolved;
  const { rootfs, io, daemonTime } = await acquire(
    { client: machine.client, leased, isLocal: machine.facts.locality === "local" },
    plan,
    resolved.rootfs,
    resolved.output,
    () => executor.io.create(machine, ioDirectory, seal, toIoRequest(context)),
    release,
  );
  const recorder = recordOutput(context, io, plan.record.log, maskedValues(secrets));
  return { resolved, plan, rootfs, io, recorder, daemonTime };
}

/**
 * Starts to read a step's output.
 *
 * @param freed how many bytes at the beginning of each stream are not there any more.
 */
export function recordOutput(
  { executor, events, log }: Pick<StepContext, "executor" | "events" | "log">,
  io: StepIo,
  limit: LogLimit,
  masked: readonly Uint8Array[],
  freed: Readonly<Record<OutputStream, number>> = { stdout: 0, stderr: 0 },
): Recorder {
  const recorder = createRecorder({
    events,
    log,
    store: io.takeStore(),
    captureBytes: executor.captureBytes,
    limit,
    masked,
    onLimit: () => io.fail(new ExecutorError("the step printed more than its limit", { kind: "io" })),
  });
  for (const stream of OUTPUT_STREAMS) recorder.skip(stream, freed[stream]);
  io.read(recorder.sink, recorder.onBacklog);
  return recorder;
}

/** Creates the task. None of the step's code runs yet. */
export async function createStep(
  context: StepContext,
  { resolved, plan, rootfs, io, recorder, daemonTime }: PreparedStep,
): Promise<CreatedStep> {
  const { machine, executor, release } = context;
  const { step, sources, leased, image, hostUser, secrets } = resolved;
  const task = await createTask(machine, plan, rootfs, io, context, () =>
    findBlockingUserFile(leased, image, executor.readUserFiles),
  );
  // Otherwise the deletion of a task that is given up would wait for us.
  release.own(() => io.release());
  const keeper = keepRecord(
    { patient: machine.client, impatient: machine.impatientClient },
    plan.id,
    plan.record,
  );
  release.own(() => keeper.giveUp());
  const start = await startOf(plan, daemonTime, machine.facts.locality !== "remote");
  const recorded = keeper.ready(start);
  // Awaited below. A failure before that must not end the process.
  recorded.catch(() => undefined);
  await io.attach({ pid: task.pid, isLocal: machine.facts.locality === "local" });
  await confirmSources(task, sources);
  // From outside, nobody sees the files of a container that has a kernel of its own.
  if (!plan.container.runtime.sandboxed)
    await chownWorkingDir({ leased, machine }, task, step, plan.container.spec, rootfs, hostUser);
  await injectSecrets(leased, machine, task, secrets, hostUser);
  const unwritable = await findUnwritable(machine, plan, volumeUser(resolved));
  await recorded;
  return { resolved, plan, task, io, recorder, keeper, unwritable };
}

/** When the step's process is started, and when its time will be over. */
async function startOf(
  { timeoutMs }: StepPlan,
  { daemonMs, toldAt }: DaemonTime,
  isSameMachine: boolean,
): Promise<Parameters<RecordKeeper["ready"]>[0]> {
  const startedAtMs = Date.now();
  if (timeoutMs === undefined) return { startedAtMs };
  const now = await readMoment(isSameMachine, daemonMs + performance.now() - toldAt);
  return { startedAtMs, deadline: later(now, timeoutMs) };
}

/**
 * Groups from the image's files are mapped like the user. In a user namespace only the user's own group is
 * certain.
 */
function volumeUser({ user, hostUser: { uid, gid }, userNamespace }: ResolvedStep): VolumeUser {
  return { uid, gids: userNamespace === undefined ? [gid, ...(user.additionalGids ?? [])] : [gid] };
}
