/** Items that wait: a higher priority first; the same priority in the order in which they were added. */
export interface PriorityQueue<T extends object> {
  /** Adds an item that is not in the queue. */
  add(item: T, priority: number): void;
  /** Removes an item, wherever it is. False if it is not in the queue. */
  remove(item: T, priority: number): boolean;
  /** Removes and returns the first item. */
  shift(): T | undefined;
  /** How many items a new one of this priority would have before it. */
  countBefore(priority: number): number;
}

/** Made for thousands of items of a few priorities: no call searches the items. */
export function createPriorityQueue<T extends object>(): PriorityQueue<T> {
  /** By priority, the highest first. None is empty. A Set keeps the order of its items. */
  const levels: { readonly priority: number; readonly items: Set<T> }[] = [];

  function drop(at: number, item: T): void {
    const level = levels[at];
    level?.items.delete(item);
    if (level?.items.size === 0) levels.splice(at, 1);
  }

  return {
    add(item, priority) {
      const at = levels.findIndex((level) => level.priority <= priority);
      const level = levels[at];
      if (level?.priority === priority) level.items.add(item);
      else levels.splice(at === -1 ? levels.length : at, 0, { priority, items: new Set([item]) });
    },
    remove(item, priority) {
      const at = levels.findIndex((level) => level.priority === priority && level.items.has(item));
      if (at !== -1) drop(at, item);
      return at !== -1;
    },
    shift() {
      const [item] = levels[0]?.items ?? [];
      if (item !== undefined) drop(0, item);
      return item;
    },
    countBefore: (priority) =>
      levels.reduce((count, level) => count + (level.priority >= priority ? level.items.size : 0), 0),
  };
}
