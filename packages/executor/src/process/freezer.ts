import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";

/**
 * How long to try to freeze processes, in milliseconds. On a busy machine, those that never rest do not reach
 * the point where the kernel stops them, and runc gives up after a fraction of a second.
 */
const FREEZE_MS = 60_000;
const PAUSE_MS = 100;

/**
 * Freezes a container's processes for a moment, so that none of them can put a link in the way while the
 * daemon writes into their file system, or change files while the daemon reads them.
 *
 * A process cannot be added to a frozen container, so the two wait for each other.
 */
export interface Freezer {
  /** Runs work while the container's processes are frozen. Afterwards they are as they were before. */
  frozen<T>(client: Client, containerId: string, work: () => Promise<T>): Promise<T>;
  /** Freezes the container's processes, and leaves them so. */
  freeze(client: Client, containerId: string): Promise<void>;
  /** Lets the container's processes go on after `freeze`. */
  thaw(client: Client, containerId: string): Promise<void>;
  /** Runs work while they are not. Any number of these at once. */
  thawed<T>(work: () => Promise<T>): Promise<T>;
}

export function createFreezer(): Freezer {
  /** Settles when the last work that was asked for is done. */
  let lastFreeze: Promise<unknown> = Promise.resolve();
  const thawed = new Set<Promise<unknown>>();
  let staysFrozen = false;

  function alone<T>(work: () => Promise<T>): Promise<T> {
    const done = Promise.allSettled([lastFreeze, ...thawed]).then(work);
    lastFreeze = done.catch(() => undefined);
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
          await client.tasks.resume(containerId);
        }
      }),
    freeze: (client, containerId) =>
      alone(async () => {
        await pause(client, containerId);
        staysFrozen = true;
      }),
    thaw: (client, containerId) =>
      alone(async () => {
        await client.tasks.resume(containerId);
        staysFrozen = false;
      }),
    thawed(work) {
      const done = lastFreeze.then(work);
      thawed.add(done);
      void done.catch(() => undefined).finally(() => thawed.delete(done));
      return done;
    },
  };
}

async function pause(client: Client, containerId: string): Promise<void> {
  const giveUpAt = performance.now() + FREEZE_MS;
  for (;;) {
    try {
      return await client.tasks.pause(containerId);
    } catch (reason) {
      if (!isTooBusy(reason) || performance.now() > giveUpAt) throw reason;
      await delay(PAUSE_MS);
    }
  }
}

/**
 * There is no status code for it. These are the texts of runc (libcontainer/cgroups, fs/freezer.go and
 * fs2/freezer.go). It has let the processes go on then.
 */
function isTooBusy(reason: unknown): boolean {
  return (
    isContainerdError(reason) && /unable to freeze|waiting for the cgroup to freeze/.test(reason.message)
  );
}
