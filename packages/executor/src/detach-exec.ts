import { admitExec } from "./admit-exec.js";
import { refuse } from "./core/refuse.js";
import type { ExecFields } from "./core/step/exec.js";
import { toSnakeCase } from "./core/units/name-case.js";
import type { ExecInput, ProcessOptions } from "./exec-input.js";
import { toExecutorError } from "./failure.js";
import { findOther, openExecHost } from "./other-steps.js";
import { addProcess } from "./process/add-process.js";
import { addedProcess } from "./process/process.js";
import { createExecId } from "./process/process-id.js";
import { startError } from "./process/start-error.js";
import { putScript, removeAdded, resolveExec } from "./stages/create-exec.js";
import type { StepHost } from "./start-step.js";

/** A further process in the container of a running step, which is left to itself. */
export interface DetachedExecInput
  extends Pick<
      ExecFields,
      "name" | "run" | "shell" | "command" | "args" | "env" | "workingDir" | "user" | "groupAdd"
    >,
    Pick<ProcessOptions, "signal" | "data"> {}

/** What needs somebody who stays with the process. */
const FOLLOWED: Readonly<Record<Exclude<keyof ExecInput, keyof DetachedExecInput>, true>> = {
  stdin: true,
  terminal: true,
  timeout: true,
  timeoutMs: true,
  stopSignal: true,
  stopGrace: true,
  stopGraceMs: true,
  maxLogBytes: true,
  onLogLimit: true,
};
const FOLLOWED_FIELDS = Object.keys(FOLLOWED).flatMap((field) => [field, toSnakeCase(field)]);

/**
 * The shim copies the output to a file of the daemon's machine. For a process without streams, it would open
 * /dev/null for reading only, and a program that checks whether it could print would fail (go-runc, io.go,
 * NewNullIO).
 */
const NOWHERE = { stdin: "", stdout: "/dev/null", stderr: "/dev/null", terminal: false };

/**
 * Starts a process in the container of a step, and leaves it. The shim keeps its exit code as long as the
 * step runs.
 *
 * @returns its id in the container.
 */
export async function detachExec(host: StepHost, word: string, input: DetachedExecInput): Promise<string> {
  const { signal, data = {}, ...process } = input ?? {};
  for (const field of FOLLOWED_FIELDS)
    if ((process as Readonly<Record<string, unknown>>)[field] !== undefined)
      refuse(field, "nobody stays with a process that is left to itself", "a process of exec");
  const { context: executor } = host;
  const execId = createExecId();
  const stop = signal ?? new AbortController().signal;
  try {
    const { machine, found } = await findOther(host, word);
    const { client } = machine;
    const execs = await openExecHost({ machine, found }, []);
    const container = execs.enter();
    const { freezer } = execs;
    const { step } = admitExec(process, container, executor.rules);
    const signals = { stop, forceKill: stop };
    const plan = await resolveExec({ id: execId, machine, executor, signals, streams: {} }, container, step, {
      data,
      slot: execs.takeSlot().slot,
    });
    stop.throwIfAborted();
    if (plan.script.length > 0)
      await freezer.frozen(client, plan.id, () => putScript(client, container.task.pid, plan));
    const added = await addedProcess(machine, { containerId: plan.id, execId });
    try {
      await addProcess(client, freezer, added, { process: plan.container.spec.process, ...NOWHERE });
      await added.start().catch((reason: unknown) => {
        throw startError(reason, plan);
      });
    } catch (reason) {
      // It ends with the step at the latest.
      await removeAdded(client, added).catch(() => undefined);
      throw reason;
    }
    return execId;
  } catch (reason) {
    throw toExecutorError(reason, { stop, forceKill: stop });
  }
}
