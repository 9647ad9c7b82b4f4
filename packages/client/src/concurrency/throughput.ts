/** Who brings less is as good as gone. */
const MIN_BYTES_PER_SECOND = 1024;

/** Whether so many bytes are worth the time that they took. */
export function isFastEnough(bytes: number, elapsedMs: number): boolean {
  return bytes > 0 && bytes * 1000 >= MIN_BYTES_PER_SECOND * elapsedMs;
}

/**
 * Watches a source of bytes for one that is too slow to be worth waiting for, although it never stands still.
 *
 * @param windowMs so much waiting is looked at together.
 * @returns told of each chunk, and how long it was waited for; false as soon as it is too slow.
 */
export function createThroughputMonitor(windowMs: number): (bytes: number, waitedMs: number) => boolean {
  let [bytesSince, waitedMsSince] = [0, 0];
  return (bytes, waitedMs) => {
    bytesSince += bytes;
    waitedMsSince += waitedMs;
    if (waitedMsSince < windowMs) return true;
    const isStillFast = isFastEnough(bytesSince, waitedMsSince);
    [bytesSince, waitedMsSince] = [0, 0];
    return isStillFast;
  };
}
