/** A range of bytes: `start` belongs to it, `end` does not. */
export type Stretch = [start: number, end: number];

/** Searches a stream for secrets. It is shown the bytes that were not returned yet. */
export interface Scanner {
  /**
   * Scans the bytes from `from` on; it has seen the earlier ones. `found` gets a stretch as indexes in
   * `bytes`. If the beginning of a secret was returned already, its stretch starts below 0.
   *
   * @returns how many bytes at the end may be the beginning of a secret, or of more of one
   */
  scan(bytes: Uint8Array, from: number, found: (start: number, end: number) => void): number;
  /**
   * Ends the stream.
   *
   * @returns how many bytes at the end count as a secret that was cut off, including bytes that were returned
   * as one
   */
  cutOff(bytes: Uint8Array): number;
  /** Whether no secret that began in the stream may go on. Then a new scanner finds the same from here on. */
  readonly isIdle: boolean;
}

/** A secret that is cut off is masked from this many bytes on. Many ordinary words end in fewer. */
export const MIN_CUT_BYTES = 4;
