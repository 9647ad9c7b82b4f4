import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { refuse } from "../core/refuse.js";
import { createTurns } from "./turns.js";

/**
 * How long to try to freeze processes, or to add one, in milliseconds. On a busy machine, those that never
 * rest do not reach the point where the kernel stops them, and runc gives up after a fraction of a second.
 * Another process may have paused the container, to write a file or to take a snapshot.
 */
const FREEZE_MS = 60_000;
const PAUSE_MS = 100;

/**
 * Freezes a container's processes for a moment, so that none of them can put a link in the way while the
 * daemon writes into their file system, or change files while the daemon reads them.
 *
 * A process cannot be added to a frozen container, so the two wait for each other. A paused container cannot
 * be paused again: so what other processes do with the same container is waited for, too.
 */
export interface Freezer {
  /** Runs work while the container's processes are frozen. Afterwards they are as they were before. */
  frozen<T>(client: Client, containerId: string, work: () => Promise<T>): Promise<T>;
  /** Freezes the container's processes, and leaves them so. */
  freeze(client: Client, containerId: string): Promise<void>;
  /** Lets the container's processes go on after `freeze`. */
  thaw(client: Client, containerId: string): Promise<void>;
  /**
   * Runs work while they are not. Any number of these at once. It is run again if the runtime has refused it
   * because another process has paused the container.
   */
  thawed<T>(work: () => Promise<T>): Promise<T>;
  /** As `thawed`, for work in which runc adds a process. */
  starting<T>(client: Client, containerId: string, work: () => Promise<T>): Promise<T>;
}

/** @param tag tells this process from others that do something with the same container. */
export function createFreezer(tag: string): Freezer {
  const turns = createTurns(tag);
  /** Settles when the last work that was asked for is done. */
  let lastFreeze: Promise<unknown> = Promise.resolve();
  const thawed = new Set<Promise<unknown>>();
  let staysFrozen = false;

  function alone<T>(work: () => Promise<T>): Promise<T> {
    const done = Promise.allSettled([lastFreeze, ...thawed]).then(work);
    lastFreeze = done.catch(() => undefined);
    return done;
  }

  async function pause(client: Client, containerId: string): Promise<void> {
    await turns.freeze(client, containerId, () => patiently(() => client.tasks.pause(containerId)));
  }

  function whileThawed<T>(work: () => Promise<T>): Promise<T> {
    const done = lastFreeze.then(() => patiently(work));
    thawed.add(done);
    void done.catch(() => undefined).finally(() => thawed.delete(done));
    return done;
  }

  return {
    frozen: (client, containerId, work) =>
      alone(async () => {
        if (staysFrozen) return work();
        await pause(client, containerId);
        try {
          return await work();
        } finally {
          await resume(client, containerId);
        }
      }),
    freeze: (client, containerId) =>
      alone(async () => {
        await pause(client, containerId);
        staysFrozen = true;
      }),
    thaw: (client, containerId) =>
      alone(async () => {
        await resume(client, containerId);
        staysFrozen = false;
      }),
    thawed: whileThawed,
    starting: (client, containerId, work) => whileThawed(() => turns.start(client, containerId, work)),
  };
}

/** Whoever has frozen a container must not leave it so because the machine is busy. */
async function resume(client: Client, containerId: string): Promise<void> {
  const giveUpAt = performance.now() + FREEZE_MS;
  for (;;) {
    try {
      return await client.tasks.resume(containerId);
    } catch (reason) {
      if (!isContainerdError(reason, "deadline-exceeded") || performance.now() > giveUpAt) throw reason;
    }
  }
}

/** @throws ExecutorError `refused` if another process has paused the container, and leaves it so. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + FREEZE_MS;
  for (;;) {
    try {
      return await work();
    } catch (reason) {
      const isLate = performance.now() > giveUpAt;
      if (isLate && isPaused(reason))
        refuse("exec", "another process has paused the container", "a call after its resume()");
      if (isLate || !(isPaused(reason) || isTooBusy(reason))) throw reason;
    }
    await delay(PAUSE_MS);
  }
}

/**
 * Whether the runtime has done nothing because a container is paused. There is no status code for it. These
 * are the texts of the shim (containerd, pkg/process/init_state.go) and of runc (exec.go).
 */
export function isPaused(reason: unknown): boolean {
  return isContainerdError(reason) && /cannot (?:pause|exec in) a paused/.test(reason.message);
}

/**
 * These are the texts of runc (libcontainer/cgroups, fs/freezer.go and fs2/freezer.go). It has let the
 * processes go on then.
 */
function isTooBusy(reason: unknown): boolean {
  return (
    isContainerdError(reason) && /unable to freeze|waiting for the cgroup to freeze/.test(reason.message)
  );
}
