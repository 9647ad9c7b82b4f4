/** Lets tasks of one name run one after the other, in the order in which they come; those of other names run beside them. */
export interface KeyedMutex {
  /**
   * One that is aborted while it waits does not run; those before and behind it lose nothing.
   *
   * @throws the signal's reason, and what the task throws.
   */
  run<T>(name: string, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T>;
}

export function createKeyedMutex(): KeyedMutex {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(name, signal, task) {
      const before = last.get(name) ?? Promise.resolve();
      const turn = unlessAborted(before, signal).then(task);
      const over = Promise.allSettled([before, turn]).then(() => {
        if (last.get(name) === over) last.delete(name);
      });
      last.set(name, over);
      return turn;
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
