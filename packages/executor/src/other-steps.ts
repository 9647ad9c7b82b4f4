import { createOutage } from "@wfe-containerd/client";
import { createExecHost, type ExecHost } from "./exec-host.js";
import type { ExecInput } from "./exec-input.js";
import type { AttachOptions } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import type { Machine } from "./machine/machine.js";
import { maskedValuesOf } from "./record/masked-values.js";
import type { HostContainer } from "./stages/create-exec.js";
import { type FoundContainer, findContainer, openContainer } from "./stages/find-container.js";
import { startExec } from "./start-exec.js";
import { attachStep, type StartedStep, type StepHost } from "./start-step.js";

/** A step that another process has started, or that was left to itself. */
interface OtherStep extends FoundContainer {
  readonly machine: Machine;
  /** The values of its secrets. */
  readonly masked: readonly Uint8Array[];
}

/** A step of another process that is followed. */
export interface FollowedOther {
  readonly started: StartedStep;
  readonly found: FoundContainer;
  /** Undefined: it does not run. */
  readonly container: HostContainer | undefined;
}

/**
 * Follows a step that another process has started.
 *
 * @param word its id, or its name.
 * @param session the processes of the session that it is.
 */
export async function attachTo(
  host: StepHost,
  word: string,
  { secrets = {}, signal }: AttachOptions,
  session?: ExecHost,
): Promise<FollowedOther> {
  const { machine, masked, ...found } = await findOther(host, word, secrets);
  const container = await openContainer(machine, found, masked);
  return { started: attachStep(host, found, masked, { signal, container, session }), found, container };
}

/** Adds a process to the container of such a step. */
export async function execIn(
  host: StepHost,
  word: string,
  process: ExecInput,
  { secrets = {} }: Pick<AttachOptions, "secrets">,
): Promise<StepHandle> {
  const { machine, masked, ...found } = await findOther(host, word, secrets);
  const { id } = found.step;
  const container = await openContainer(machine, found, masked);
  const execs = createExecHost(`step ${id}`);
  if (container !== undefined) execs.open(container);
  const waiting = new AbortController();
  const ended = machine.client.tasks.wait(id, { signal: waiting.signal });
  // If the daemon is away, the process tells it.
  void ended.then(execs.end, () => undefined);
  const handle = startExec(host.execsOf(execs), process);
  void handle.closed.then(() => waiting.abort());
  return handle;
}

async function findOther(
  host: StepHost,
  word: string,
  secrets: NonNullable<AttachOptions["secrets"]>,
): Promise<OtherStep> {
  try {
    const { machines, daemonTimeoutMs } = host.context;
    const machine = await machines.own(createOutage({ timeoutMs: daemonTimeoutMs }));
    const found = await findContainer(machine.client, word);
    const masked = maskedValuesOf(found.step.id, found.record, secrets, "cannot be read or entered");
    return { ...found, machine, masked };
  } catch (reason) {
    throw toExecutorError(reason);
  }
}
