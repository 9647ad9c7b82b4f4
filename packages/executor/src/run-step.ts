import type { Client } from "@wfe-containerd/client";
import type { Bridge } from "./core/network/bridge.js";
import { findWarnings } from "./core/output/find-warnings.js";
import type { StepResult } from "./core/output/result.js";
import type { StepWarning } from "./core/output/warning.js";
import type { WorkflowData } from "./core/output/workflow-data.js";
import type { DaemonFacts } from "./core/plan/daemon.js";
import { stepLabels } from "./core/plan/labels.js";
import { planStep } from "./core/plan/plan.js";
import type { UserNamespace } from "./core/spec/namespaces.js";
import { type ProcessUser, toHostUser } from "./core/spec/user.js";
import { maskedValues, matchSecrets, type SecretValues } from "./core/step/secret.js";
import { parseStep, type StepConfig } from "./core/step/step.js";
import { volumesLabel, volumeUses } from "./core/step/volume.js";
import { ExecutorError } from "./error.js";
import type { StepPhase } from "./event.js";
import { toExecutorError } from "./failure.js";
import { type ImagePullOptions, resolveImage } from "./image/resolve-image.js";
import { findBlockingUserFile, resolveUser } from "./image/resolve-user.js";
import type { ReadUserFiles } from "./image/user-file-cache.js";
import type { StepIo } from "./io/io.js";
import { readToEnd } from "./io/read-to-end.js";
import type { EventQueue } from "./log/event-queue.js";
import { createRecorder, type Recording } from "./log/recorder.js";
import { findHostCapabilities, type HostOptions } from "./machine/host-capabilities.js";
import type { ExitOutcome } from "./process/exit-outcome.js";
import { type Control, createTask, runTask } from "./process/run-task.js";
import { acquire } from "./resources/acquire.js";
import { applyPolicy, type Rules } from "./resources/apply-policy.js";
import { chownWorkingDir } from "./resources/chown-working-dir.js";
import { injectSecrets } from "./resources/inject-secrets.js";
import { openLease } from "./resources/lease.js";
import { checkSources, confirmSources, followSources } from "./resources/mount-sources.js";
import { createRelease } from "./resources/release.js";
import { findUnwritable, type VolumeUser } from "./resources/volume-access.js";
import { openVolumes } from "./resources/volumes.js";

/** One step, and everything from its executor that it needs. */
export interface StepRun {
  /** The id of the container, and of everything else that the step uses in containerd. */
  readonly id: string;
  /** The step as the caller gave it, not yet parsed. */
  readonly input: unknown;
  /** Values of the workflow. They become environment variables. */
  readonly data: WorkflowData;
  /** Values of the secrets that the step may name. */
  readonly secrets: SecretValues;
  readonly rules: Rules;
  readonly bridge: Bridge;
  /** What the operator configured about the daemon's machine. */
  readonly host: HostOptions;
  owner(): Promise<string>;
  /** How many bytes of each stream the result contains. */
  readonly captureBytes: number;
  readonly pull: ImagePullOptions;
  readonly readUserFiles: ReadUserFiles;
  readonly control: Control;
  readonly events: EventQueue;
  connect(step: StepConfig): Promise<{ client: Client; daemon: DaemonFacts }>;
  /** The directory for the step's output files. */
  ioDirectory(client: Client): Promise<string>;
  openIo(client: Client, directory: string): Promise<StepIo>;
  /** Called when the outcome and all output are known. */
  settle(result: StepResult): void;
  /** Called when the step could not be run. */
  fail(reason: unknown): void;
}

/**
 * Runs a step from its input to its result, and releases everything. Rejects only if something could not be
 * released.
 */
export async function runStep(run: StepRun): Promise<void> {
  const { id, events, control } = run;
  const enter = (phase: StepPhase): void => void events.push({ type: "phase", phase, id });
  const release = createRelease();
  try {
    const step = applyPolicy(parseStep(run.input), run.rules);
    const secrets = matchSecrets(step.secrets, run.secrets);
    const { client, daemon } = await run.connect(step);
    const { locality } = daemon;
    await checkSources({ client, locality }, step, run.rules);

    enter("resolving");
    const [owner, ioDirectory] = await Promise.all([run.owner(), run.ioDirectory(client)]);
    const labels = stepLabels(step, { owner, ioDirectory });
    const uses = volumeUses(step);
    const leased = await openLease(client, id, { ...labels, ...volumesLabel(uses) }, release);
    const image = await resolveImage(leased, step, {
      platform: daemon.platform,
      pull: run.pull,
      signal: control.signal,
      onProgress: (progress) => void events.push(progress),
    });
    const user = await resolveUser(leased, image, step, {
      readUserFiles: run.readUserFiles,
      signal: control.signal,
    });
    const host = await findHostCapabilities(client, step, user, run.host);
    const hostUser = toHostUser(user, host.userNamespace);
    const volumes = await openVolumes(leased, id, uses, hostUser);
    // Checked again: during a pull there is time to replace a source by a link.
    const sources = await checkSources({ client, locality }, step, run.rules);
    const plan = planStep({
      id,
      labels,
      ioDirectory,
      data: run.data,
      step: followSources(step, sources),
      image,
      user,
      daemon,
      client,
      bridge: run.bridge,
      mounts: volumes,
      secrets,
      ...host,
    });

    enter("preparing");
    refuseIfAborted(control);
    const { rootfs, io } = await acquire(
      { client, leased },
      plan,
      () => run.openIo(client, ioDirectory),
      release,
    );
    const recorder = createRecorder(events, run.captureBytes, maskedValues(secrets));
    io.read(recorder.take);

    enter("starting");
    refuseIfAborted(control);
    const task = await createTask(client, plan, rootfs, io, release, () =>
      findBlockingUserFile(leased, image, run.readUserFiles),
    );
    await confirmSources(task, sources);
    await chownWorkingDir({ leased, locality }, task, step, plan.container.spec, rootfs, hostUser);
    await injectSecrets(leased, task, secrets, hostUser);
    const unwritable = await findUnwritable(plan, volumeUser(user, host.userNamespace), locality);
    refuseIfAborted(control);
    const clock = startClock();
    const ending = await runTask(client, plan, io, control, () => enter("running"));
    const times = clock.stop();

    enter("settling");
    if (io.completeAfter === "delete") await task.delete();
    const isWhole = await readToEnd(io, control.hurry);
    const recording = recorder.finish();
    const warnings = findWarnings(plan, { ...ending, ...recording }, unwritable);
    for (const warning of warnings) events.push({ type: "warning", ...warning });
    run.settle(toResult(step, ending, recording, warnings, times, isWhole));
  } catch (reason) {
    run.fail(toExecutorError(reason, control));
  } finally {
    enter("releasing");
    events.close();
    await release.all();
  }
}

/**
 * Groups from the image's files are mapped like the user. In a user namespace only the user's own group is
 * certain.
 */
function volumeUser(user: ProcessUser, namespace: UserNamespace | undefined): VolumeUser {
  const { uid, gid } = toHostUser(user, namespace);
  return { uid, gids: namespace === undefined ? [gid, ...(user.additionalGids ?? [])] : [gid] };
}

/** Nothing runs yet, so there is no exit code to report. */
function refuseIfAborted({ signal }: Control): void {
  if (!signal.aborted) return;
  throw new ExecutorError("the step was aborted before its process had started", {
    kind: "aborted",
    cause: signal.reason,
  });
}

interface Times {
  readonly startedAt: Date;
  readonly durationMs: number;
}

/** Measures the duration on the monotonic clock, because the wall clock may jump. */
function startClock(): { stop(): Times } {
  const startedAt = new Date();
  const start = performance.now();
  return { stop: () => ({ startedAt, durationMs: performance.now() - start }) };
}

function toResult(
  step: StepConfig,
  ending: ExitOutcome,
  recording: Recording,
  warnings: readonly StepWarning[],
  times: Times,
  isWhole: boolean,
): StepResult {
  return {
    name: step.name,
    ...ending,
    ...recording,
    warnings,
    truncated: recording.truncated || !isWhole,
    ...times,
  };
}
