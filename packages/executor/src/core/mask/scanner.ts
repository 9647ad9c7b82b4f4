/** A stretch of bytes, from a first one to before another. */
export type Stretch = [start: number, end: number];

/** Looks for secrets in a stream, of which it is shown what is not given away yet. */
export interface Scanner {
  /**
   * Goes on with the bytes from `from` on; those before it, it has seen. Stretches are told by the places of their bytes; one that
   * goes on from what was given away as a secret begins before 0.
   *
   * @returns how many bytes at the end may be the beginning of a secret, or of more of one.
   */
  scan(bytes: Uint8Array, from: number, found: (start: number, end: number) => void): number;
  /** No more follows. @returns how many bytes at the end must be taken for a secret that was cut off: with those that were given away as one. */
  cutOff(bytes: Uint8Array): number;
}

/** What is cut off is masked from this many bytes on: fewer end many an ordinary word. */
export const MIN_CUT_BYTES = 4;
