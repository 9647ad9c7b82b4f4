/**
 * Remembers a change until `next` is called, so that a change between a read and the next wait is not lost.
 */
export interface Change {
  notify(): void;
  next(): Promise<void>;
}

export function createChange(): Change {
  let changed = false;
  let wake: (() => void) | undefined;
  return {
    notify() {
      changed = true;
      wake?.();
    },
    async next() {
      if (!changed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      changed = false;
    },
  };
}
