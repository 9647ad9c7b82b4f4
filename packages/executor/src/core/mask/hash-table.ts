/** A set of beginnings of byte strings. Two sums over a beginning and its length identify it. */
export interface HashTable {
  /**
   * @param goesOn whether a longer beginning is in the table too, or will be
   * @returns whether this one was in the table already
   */
  add(first: number, second: number, length: number, goesOn: boolean): boolean;
  find(first: number, second: number, length: number): "none" | "ends" | "goes on";
}

const LEAST_SLOTS = 1024;

/**
 * Open addressing over two arrays: eight bytes per slot, with at most two in three slots taken.
 *
 * @param expected how many beginnings will be added
 */
export function createHashTable(expected: number): HashTable {
  let slots = LEAST_SLOTS;
  while (2 * slots < 3 * expected) slots *= 2;
  let taken = 0;
  /** 0 in a free slot. */
  let firsts = new Int32Array(slots);
  /** The lowest bit tells whether the beginning goes on. */
  let seconds = new Int32Array(slots);

  function place(first: number, second: number): number {
    let hash = Math.imul(first ^ (first >>> 16), 0x45d9f3b) ^ Math.imul(second ^ (second >>> 15), 0x2545f491);
    hash ^= hash >>> 13;
    let slot = hash & (slots - 1);
    while (firsts[slot] !== 0 && (firsts[slot] !== first || (seconds[slot] as number) >> 1 !== second >> 1))
      slot = (slot + 1) & (slots - 1);
    return slot;
  }

  function grow(): void {
    const [oldFirsts, oldSeconds] = [firsts, seconds];
    slots *= 2;
    firsts = new Int32Array(slots);
    seconds = new Int32Array(slots);
    oldFirsts.forEach((first, at) => {
      if (first === 0) return;
      const second = oldSeconds[at] as number;
      const slot = place(first, second & ~1);
      firsts[slot] = first;
      seconds[slot] = second;
    });
  }

  const keyOf = (first: number, length: number): number => first ^ Math.imul(length, 0x27d4eb2f) || 1;

  return {
    add(first, second, length, goesOn) {
      if (3 * taken > 2 * slots) grow();
      const key = keyOf(first, length);
      const slot = place(key, second & ~1);
      const isThere = firsts[slot] !== 0;
      if (!isThere) {
        taken++;
        firsts[slot] = key;
        seconds[slot] = second & ~1;
      }
      if (goesOn) seconds[slot] = (seconds[slot] as number) | 1;
      return isThere;
    },
    find(first, second, length) {
      const slot = place(keyOf(first, length), second & ~1);
      if (firsts[slot] === 0) return "none";
      return ((seconds[slot] as number) & 1) === 1 ? "goes on" : "ends";
    },
  };
}
