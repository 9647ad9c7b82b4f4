import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { WorkflowData } from "../core/output/workflow-data.js";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { type ExecPlan, planExec } from "../core/plan/exec.js";
import type { StepPlan } from "../core/plan/plan.js";
import { refuse } from "../core/refuse.js";
import type { User } from "../core/spec/spec.js";
import { createUser, toHostUser } from "../core/spec/user.js";
import { type MaskedSecret, maskedValues, stepSecretsDirectory } from "../core/step/secret.js";
import { resolveUser } from "../image/resolve-user.js";
import type { StepImage } from "../image/step-image.js";
import { createSeal } from "../io/seal.js";
import { logLimitOf } from "../log/log-limit.js";
import { addProcess } from "../process/add-process.js";
import type { Freezer } from "../process/freezer.js";
import { killProcess } from "../process/kill-process.js";
import { addedProcess, type Process } from "../process/process.js";
import { unpackAt } from "../resources/unpack-archive.js";
import { type StepContext, toIoRequest } from "./context.js";
import { type CreatedProcess, type CreatedStep, recordOutput } from "./create.js";
import type { ResolvedStep } from "./resolve.js";

/** A running container, as further processes in it need it. */
export interface HostContainer {
  readonly plan: StepPlan;
  readonly task: Pick<CreatedStep["task"], "pid" | "spec">;
  readonly resolved: Pick<ResolvedStep, "machine" | "userNamespace" | "ioDirectory" | "hostUser"> & {
    readonly secrets: readonly MaskedSecret[];
    readonly step: AllowedStep;
    /** Undefined: its name means another image by now, or none. */
    readonly image: StepImage | undefined;
  };
}

/** What a further process has besides its fields. */
export interface ExecValues {
  readonly data: WorkflowData;
  /** Names the file of its script, and the directory of its own secrets. */
  readonly slot: string;
  /** @default false */
  readonly hasSecrets?: boolean;
}

/** What the plan of a further process needs. */
type ExecContext = Pick<StepContext, "id" | "machine" | "executor" | "signals" | "streams">;

/**
 * Plans a further process in the container of a running step: its user becomes numbers.
 *
 * @param step the process, with the user and the groups that it has in the end.
 */
export async function resolveExec(
  { id, machine, executor, signals, streams }: ExecContext,
  { resolved, plan, task }: HostContainer,
  step: AllowedStep,
  { data, slot, hasSecrets = false }: ExecValues,
): Promise<ExecPlan> {
  return planExec({
    execId: id,
    slot,
    container: plan,
    spec: task.spec,
    step,
    user: await findUser(),
    data,
    terminal: streams.terminal,
    secretsDirectory: hasSecrets ? stepSecretsDirectory(slot) : undefined,
    root: toHostUser({ uid: 0, gid: 0 }, resolved.userNamespace),
  });

  async function findUser(): Promise<User> {
    const { user, groupAdd } = resolved.step;
    const first = task.spec.process.user;
    if (step.user === user && step.groupAdd.length === groupAdd.length) return first;
    const leased = machine.client.with({ leaseId: plan.id });
    const found = await resolveUser(leased, resolved.image, step, {
      readUserFiles: executor.readUserFiles,
      signal: signals.stop,
    });
    return createUser({ ...found, umask: first.umask });
  }
}

/** Opens the streams of a further process, and adds it to the container. Its program does not run yet. */
export async function createExec(
  context: StepContext,
  { resolved, task: { pid } }: HostContainer,
  step: AllowedStep,
  plan: ExecPlan,
  { freezer, masked }: { readonly freezer: Freezer; readonly masked: readonly MaskedSecret[] },
): Promise<CreatedProcess> {
  const { id: execId, machine, executor, release } = context;
  const { client } = machine;
  const directory = join(resolved.ioDirectory, execId);
  release.add({ kind: "output", id: directory }, () => rm(directory, { recursive: true, force: true }));
  const id = { containerId: plan.id, execId };
  // Asks the daemon what the kernel has counted so far, while the output files are made.
  const adding = addedProcess(machine, id);
  adding.catch(() => undefined);
  const io = await executor.io.create(machine, directory, createSeal(), toIoRequest(context));
  release.own(() => io.close());
  const recorder = recordOutput(context, io, logLimitOf(step, executor.logLimit), maskedValues(masked));
  const task = await adding;
  release.add({ kind: "exec", id: execId }, () => removeAdded(client, task));
  if (plan.script.length > 0) await freezer.frozen(client, plan.id, () => putScript(client, pid, plan));
  await addProcess(client, freezer, task, { process: plan.container.spec.process, ...io.stdio });
  release.own(() => io.release());
  return {
    plan,
    task,
    io,
    recorder,
    unwritable: [],
  };
}

/** Kills a process that was added to a container, and deletes it. */
export async function removeAdded(client: Client, task: Process): Promise<void> {
  if (task.isDeleted) return;
  const { containerId, execId } = task.id;
  const status = await ignoreNotFound(client.tasks.get(containerId, { execId }));
  // What was not started has no process, and cannot be killed.
  if (status?.status === "running" || status?.status === "paused") await killProcess(client, task.id);
  await task.delete();
}

/** Writes the script of a process into its running container, whose processes are frozen. */
export async function putScript(
  client: Client,
  pid: number,
  { id, script, programField, container: { runtime } }: ExecPlan,
): Promise<void> {
  if (runtime.sandboxed)
    refuse(
      programField,
      "the script has to be a file, and the container has a kernel of its own",
      "a script for /bin/sh of less than 128 KiB without a #! line; or command",
    );
  try {
    await unpackAt(client.with({ leaseId: id }), `/proc/${pid}/root`, script);
  } catch (reason) {
    if (!(reason instanceof Error) || !/read-only file system/.test(reason.message)) throw reason;
    refuse(
      programField,
      "the script has to be a file, and the container's root file system is read-only",
      "a script for /bin/sh of less than 128 KiB without a #! line; or command",
    );
  }
}
