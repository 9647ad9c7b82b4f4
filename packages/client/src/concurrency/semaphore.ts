export interface Semaphore {
  /** Runs a task as soon as a slot is free, in the order of the calls. */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** Runs at most `count` tasks at a time. */
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

/**
 * Runs a task for each item, at most `count` at a time. If one fails, the others are aborted and awaited.
 * Then the first error is thrown.
 */
export async function forEachConcurrently<T>(
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
        // Abort before the slot is free again, so that no further item is started.
        failure.abort(reason);
      }
    }),
  );
  await Promise.allSettled(running);
  outer.throwIfAborted();
  failure.signal.throwIfAborted();
}
