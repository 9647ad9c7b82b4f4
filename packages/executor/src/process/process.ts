import type { ExitStatus, TerminalSize } from "@wfe-containerd/client";
import { createDeferred, ignoreNotFound } from "@wfe-containerd/client/internal";
import { UNKNOWN_USAGE } from "../core/output/usage.js";
import type { Machine } from "../machine/machine.js";
import { type Counters, readCounters } from "./counters.js";
import { deleteProcess } from "./delete-process.js";
import type { ProcessId } from "./process-id.js";
import { type StopOptions, stopProcess } from "./stop-process.js";

/** A process that containerd has created: a container's first one, or one that was added to it. */
export interface Process {
  readonly id: ProcessId;
  /** Whether `delete` has succeeded. */
  readonly isDeleted: boolean;
  /** Whether `delete` found that the daemon does not know it. Its shim may still be there. */
  readonly isForgotten: boolean;
  /** The call of `delete` that is under way, or has succeeded. */
  readonly deleting: Promise<void> | undefined;
  /** @returns its process id on the daemon's machine. */
  start(): Promise<number>;
  /** Waits for its end. Ask before `start`, so that the end of even the shortest process is not missed. */
  wait(signal: AbortSignal): Promise<ExitStatus>;
  /** Sends a signal, and SIGKILL after a grace period. Returns and throws as `stopProcess`. */
  stop(options: StopOptions): Promise<boolean>;
  /** What the kernel has counted. Call it when the process has ended, and before it is deleted. */
  counters(exitCode: number): Promise<Counters>;
  resize(size: TerminalSize): Promise<void>;
  /** Ends its standard input. To close our end of the FIFO is not enough: the shim holds another. */
  closeStdin(): Promise<void>;
  /**
   * Deletes the ended process. Afterwards the shim has written all its output. A call during another one
   * waits for that.
   */
  delete(): Promise<void>;
}

/** A container's first process. All others of the container end with it. */
export function firstProcess(machine: ProcessMachine, containerId: string): Process {
  return processOf(machine, { containerId }, () => readCounters(machine.client, containerId));
}

/**
 * A process that was added to a container. The counters are those of the whole container, so they tell only
 * whether the kernel has killed a process since this one was added.
 */
export async function addedProcess(machine: ProcessMachine, id: ProcessId): Promise<Process> {
  const { oomKills: killedBefore } = await readCounters(machine.client, id.containerId);
  const process = processOf(machine, id, async (exitCode) => {
    if (exitCode !== KILLED) return { oomKills: 0, usage: UNKNOWN_USAGE };
    const { oomKills } = await readCounters(machine.client, id.containerId);
    return { oomKills: Math.max(0, oomKills - killedBefore), usage: UNKNOWN_USAGE };
  });
  const { start, wait } = process;
  const started = createDeferred<void>();
  return Object.assign(process, {
    async start() {
      const pid = await start();
      started.resolve();
      return pid;
    },
    // A shim that waits for a process which cannot be started waits until it ends itself. The status of one
    // that has ended is kept until it is deleted, so nothing is missed.
    async wait(signal: AbortSignal) {
      await started.promise;
      return wait(signal);
    },
  });
}

/** The exit code of a process that SIGKILL has ended. */
const KILLED = 137;

type ProcessMachine = Pick<Machine, "client" | "impatientClient">;

function processOf(
  { client, impatientClient }: ProcessMachine,
  id: ProcessId,
  counters: Process["counters"],
): Process {
  const { containerId, execId } = id;
  let isDeleted = false;
  let isForgotten = false;
  let deleting: Promise<void> | undefined;
  return {
    id,
    get isDeleted() {
      return isDeleted;
    },
    get isForgotten() {
      return isForgotten;
    },
    get deleting() {
      return deleting;
    },
    start: async () => (await client.tasks.start(containerId, { execId })).pid,
    wait: (signal) => client.tasks.wait(containerId, { execId, signal }),
    stop: (options) => stopProcess(impatientClient, id, options),
    counters,
    resize: (size) => client.tasks.resizePty(containerId, size, { execId }),
    closeStdin: () => ignoreNotFound(client.tasks.closeStdin(containerId, { execId })).then(() => undefined),
    delete() {
      deleting ??= deleteProcess(client, id).then(
        (wasKnown) => {
          isDeleted = true;
          isForgotten = !wasKnown;
        },
        (reason: unknown) => {
          deleting = undefined;
          throw reason;
        },
      );
      return deleting;
    },
  };
}
