import { MIN_CUT_BYTES, type Scanner } from "./scanner.js";

/**
 * Finds any of several patterns by Aho and Corasick's search ("Efficient string matching", 1975). It reads
 * each byte once, however many patterns it has. A state takes 21 bytes, and there is at most one state for
 * each byte of the patterns.
 *
 * @param patterns each of two bytes or more
 * @returns a function that makes a scanner for one stream
 */
export function createAutomaton(patterns: readonly Uint8Array[]): () => Scanner {
  const most = patterns.reduce((sum, { byteLength }) => sum + byteLength, 1);
  /** Children of the root by their byte, and children of those by both bytes. All other states have few. */
  const root = new Int32Array(256);
  const pairs = new Int32Array(0x1_0000);
  /**
   * For each state: the byte that leads to it, its first child, and the next child of its parent. 0, the
   * root, means no child.
   */
  const byteOf = new Uint8Array(most);
  const child = new Int32Array(most);
  const sibling = new Int32Array(most);
  /** Where the search goes on if no child fits: the longest other beginning of a pattern that ends here. */
  const fallback = new Int32Array(most);
  /** Length of the longest beginning of a pattern that ends here and may go on. */
  const open = new Int32Array(most);
  /** Length of the longest pattern that ends here; 0 if no pattern does. */
  const longest = new Int32Array(most);
  let states = 1;

  function childOf(state: number, byte: number): number {
    if (state === 0) return root[byte] as number;
    if (isFirst(state)) return pairs[((byteOf[state] as number) << 8) | byte] as number;
    let next = child[state] as number;
    while (next !== 0 && byteOf[next] !== byte) next = sibling[next] as number;
    return next;
  }

  function isFirst(state: number): boolean {
    return root[byteOf[state] as number] === state;
  }

  function addChild(state: number, byte: number): number {
    const added = states++;
    byteOf[added] = byte;
    if (state === 0) root[byte] = added;
    else {
      if (isFirst(state)) pairs[((byteOf[state] as number) << 8) | byte] = added;
      sibling[added] = child[state] as number;
      child[state] = added;
    }
    return added;
  }

  for (const pattern of patterns) {
    let state = 0;
    for (let depth = 0; depth < pattern.byteLength; depth++) {
      open[state] = depth;
      state = childOf(state, pattern[depth] as number) || addChild(state, pattern[depth] as number);
    }
    longest[state] = Math.max(longest[state] as number, pattern.byteLength);
  }

  // Level by level, because a state's fallback is always less deep.
  const queue = new Int32Array(states);
  let queued = 0;
  for (const state of root) if (state !== 0) queue[queued++] = state;
  for (let at = 0; at < queued; at++) {
    const state = queue[at] as number;
    for (let next = child[state] as number; next !== 0; next = sibling[next] as number) {
      const byte = byteOf[next] as number;
      let shorter = fallback[state] as number;
      while (shorter !== 0 && childOf(shorter, byte) === 0) shorter = fallback[shorter] as number;
      const other = childOf(shorter, byte);
      fallback[next] = other;
      longest[next] = Math.max(longest[next] as number, longest[other] as number);
      open[next] = Math.max(open[next] as number, open[other] as number);
      queue[queued++] = next;
    }
  }

  return () => {
    let state = 0;
    return {
      scan(bytes, from, found) {
        const end = bytes.byteLength;
        let at = from;
        while (at < end) {
          if (state === 0) {
            // Most bytes begin nothing, and every pattern has two bytes or more.
            while (at < end - 1 && pairs[((bytes[at] as number) << 8) | (bytes[at + 1] as number)] === 0)
              at++;
            state = root[bytes[at++] as number] as number;
            continue;
          }
          const next = childOf(state, bytes[at] as number);
          if (next === 0) {
            state = fallback[state] as number;
            continue;
          }
          state = next;
          at++;
          if (longest[state] !== 0) found(at - (longest[state] as number), at);
        }
        return open[state] as number;
      },
      cutOff() {
        const begun = open[state] as number;
        return begun < MIN_CUT_BYTES ? 0 : begun;
      },
      get isIdle() {
        return open[state] === 0;
      },
    };
  };
}
