import { join } from "node:path";
import { createOutage } from "@wfe-containerd/client";
import { refuse } from "./core/refuse.js";
import { createExecHost, type ExecHost } from "./exec-host.js";
import type { ExecInput } from "./exec-input.js";
import type { AttachOptions } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import { requirePipes } from "./io/require-pipes.js";
import { feedStdin } from "./io/stdin.js";
import type { StdinSource } from "./io/stdin-source.js";
import type { Machine } from "./machine/machine.js";
import { maskedValuesOf } from "./record/masked-values.js";
import type { HostContainer } from "./stages/create-exec.js";
import { type FoundContainer, findContainer, openContainer } from "./stages/find-container.js";
import { startExec } from "./start-exec.js";
import { type AttachedStep, attachStep, type StartedStep, type StepHost } from "./start-step.js";

/** A step that another process has started, or that was left to itself. */
interface OtherStep {
  readonly machine: Machine;
  readonly found: FoundContainer;
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
  { secrets = {}, signal, stdin }: AttachOptions,
  session?: ExecHost,
): Promise<FollowedOther> {
  const { machine, found } = await findOther(host, word);
  const masked = maskedOf(found, secrets);
  const feed = stdin === undefined ? undefined : feedOf({ machine, found }, stdin);
  const container = await openContainer(machine, found, masked);
  const started = attachStep(host, found, masked, { signal, container, session, feed });
  return { started, found, container };
}

/**
 * How input gets into such a step. Its shim keeps its standard input open.
 *
 * @throws ExecutorError `refused` if the step takes no input.
 */
function feedOf({ machine, found: { record } }: OtherStep, stdin: StdinSource): AttachedStep["feed"] {
  if (record.openStdin !== true)
    refuse(
      "stdin",
      "nobody can write into the standard input of this step",
      "a step of detach with openStdin: true, or of start with canLeave: true; or a process of its own: exec",
    );
  requirePipes(machine, "stdin", "attach on that machine; or attach without it");
  const path = join(record.output.directory, "stdin");
  return (ended) => feedStdin(stdin, { path, ended, close: async () => undefined, isTerminal: false });
}

/** Adds a process to the container of such a step. */
export async function execIn(
  host: StepHost,
  word: string,
  process: ExecInput,
  { secrets = {} }: Pick<AttachOptions, "secrets">,
): Promise<StepHandle> {
  const other = await findOther(host, word);
  const { machine, found } = other;
  const execs = await openExecHost(other, maskedOf(found, secrets));
  const waiting = new AbortController();
  const ended = machine.client.tasks.wait(found.step.id, { signal: waiting.signal });
  // If the daemon is away, the process tells it.
  void ended.then(execs.end, () => undefined);
  const handle = startExec(host.execsOf(execs), process);
  void handle.closed.then(() => waiting.abort());
  return handle;
}

/**
 * Finds the container of such a step, so that processes can be added to it.
 *
 * @param masked the values of the step's secrets.
 */
export async function openExecHost(
  { machine, found }: OtherStep,
  masked: readonly Uint8Array[],
): Promise<ExecHost> {
  const container = await openContainer(machine, found, masked);
  const execs = createExecHost(`step ${found.step.id}`);
  if (container !== undefined) execs.open(container);
  return execs;
}

/** @param word the step's id, or its name. */
export async function findOther(host: StepHost, word: string): Promise<OtherStep> {
  try {
    const { machines, daemonTimeoutMs } = host.context;
    const machine = await machines.own(createOutage({ timeoutMs: daemonTimeoutMs }));
    return { machine, found: await findContainer(machine.client, word) };
  } catch (reason) {
    throw toExecutorError(reason);
  }
}

function maskedOf(
  { step, record }: FoundContainer,
  secrets: NonNullable<AttachOptions["secrets"]>,
): readonly Uint8Array[] {
  return maskedValuesOf(step.id, record, secrets, "cannot be read or entered");
}
