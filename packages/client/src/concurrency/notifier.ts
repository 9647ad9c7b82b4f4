/** Wakes one waiter, for a producer and a consumer in the same process. */
export interface Notifier {
  /** Wakes the waiter. Nothing is remembered: look at the state before every {@link wait}. */
  notify(): void;
  /** Resolves at the next {@link notify}. */
  wait(): Promise<void>;
}

export function createNotifier(): Notifier {
  let wake = (): void => undefined;
  return {
    notify: () => wake(),
    wait: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
  };
}
