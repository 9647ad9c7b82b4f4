export interface Semaphore {
  /** Runs a task as soon as there is a free slot, in the order in which they come. */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** Lets at most so many tasks run at a time. */
export function createSemaphore(count: number): Semaphore {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    async run(task) {
      if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      else free--;
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free++;
        else next();
      }
    },
  };
}

/** Does something with each item, so many at a time. When one fails, the others are aborted and waited for; then its failure is thrown. */
export async function forEachInSlots<T>(
  items: readonly T[],
  { count, signal: outer }: { count: number; signal: AbortSignal },
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([outer, failure.signal]);
  const semaphore = createSemaphore(count);
  const running = items.map((item) =>
    semaphore.run(async () => {
      signal.throwIfAborted();
      try {
        await task(item, signal);
      } catch (reason) {
        // Before the slot is free again: no further item is begun.
        failure.abort(reason);
      }
    }),
  );
  await Promise.allSettled(running);
  outer.throwIfAborted();
  failure.signal.throwIfAborted();
}
