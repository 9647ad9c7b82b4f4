const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;

/**
 * Leases whose work is finished, but which could not be deleted because the daemon was away. Each is deleted
 * when the daemon is back, so that its content goes even if nobody pulls or imports again.
 */
export interface UndeletedLeases {
  /** @param remove deletes the lease. It is tried again with longer and longer pauses. */
  add(id: string, remove: () => Promise<void>): void;
  has(id: string): boolean;
  delete(id: string): void;
  /** Ends the tries. */
  close(): void;
}

export function createUndeletedLeases(): UndeletedLeases {
  const timers = new Map<string, NodeJS.Timeout>();
  let isClosed = false;

  function tryLater(id: string, remove: () => Promise<void>, delayMs: number): void {
    const timer = setTimeout(async () => {
      try {
        await remove();
        timers.delete(id);
      } catch {
        if (timers.has(id)) tryLater(id, remove, Math.min(delayMs * 2, LONGEST_DELAY_MS));
      }
    }, delayMs);
    // Another process finds the lease by its owner's label, so this one need not stay for it.
    timer.unref();
    timers.set(id, timer);
  }

  function forget(id: string): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
  }

  return {
    add(id, remove) {
      if (!isClosed) tryLater(id, remove, FIRST_DELAY_MS);
    },
    has: (id) => timers.has(id),
    delete: forget,
    close() {
      isClosed = true;
      for (const id of timers.keys()) forget(id);
    },
  };
}
