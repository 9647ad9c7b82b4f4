import { createPriorityQueue } from "./priority-queue.js";

/** How a task waits for its slot. */
export interface SlotRequest {
  /** A higher one comes first; the same ones come in the order of their calls. Default: 0. */
  readonly priority?: number | undefined;
  /** Aborting it ends the waiting. Once the task runs, it has no effect. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called at once if the task has to wait.
   *
   * @param position 1 if the task is the next one now. A task of a higher priority may still come before it.
   */
  onQueued?(position: number): void;
}

export interface Semaphore {
  /**
   * Runs a task as soon as a slot is free. Its slot is free again when its promise settles.
   *
   * @throws the signal's reason if it is aborted before the task runs, and any error of the task.
   */
  run<T>(task: () => Promise<T>, request?: SlotRequest): Promise<T>;
}

/** Runs at most `count` tasks at a time. */
export function createSemaphore(count: number): Semaphore {
  const waiting = createPriorityQueue<() => void>();
  let free = count;

  function waitForSlot({ priority = 0, signal, onQueued }: SlotRequest): Promise<void> {
    onQueued?.(waiting.countBefore(priority) + 1);
    return new Promise((resolve, reject) => {
      function begin(): void {
        signal?.removeEventListener("abort", leave);
        resolve();
      }
      function leave(): void {
        waiting.remove(begin, priority);
        reject(signal?.reason as Error);
      }
      waiting.add(begin, priority);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  return {
    async run(task, request = {}) {
      request.signal?.throwIfAborted();
      if (free === 0) await waitForSlot(request);
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
