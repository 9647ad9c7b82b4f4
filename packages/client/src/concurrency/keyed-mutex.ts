/**
 * Runs tasks with the same name one after the other, in the order of their calls. Tasks with different names
 * run in parallel.
 */
export interface KeyedMutex {
  /**
   * Waits for earlier tasks of this name, then runs the task. A task that is aborted while it waits does not
   * run. The tasks before and after it are not affected.
   *
   * @throws the signal's reason, and any error of the task.
   */
  run<T>(name: string, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T>;
}

export function createKeyedMutex(): KeyedMutex {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(name, signal, task) {
      const before = last.get(name) ?? Promise.resolve();
      const result = unlessAborted(before, signal).then(task);
      const settled = Promise.allSettled([before, result]).then(() => {
        if (last.get(name) === settled) last.delete(name);
      });
      last.set(name, settled);
      return result;
    },
  };
}

async function unlessAborted(waiting: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return void (await waiting);
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([waiting, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
