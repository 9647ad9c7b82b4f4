/** A slower transfer counts as stalled. */
const MIN_BYTES_PER_SECOND = 1024;

/** Whether `bytes` in `elapsedMs` milliseconds is at least 1 KiB a second. 0 bytes never are. */
export function isFastEnough(bytes: number, elapsedMs: number): boolean {
  return bytes > 0 && bytes * 1000 >= MIN_BYTES_PER_SECOND * elapsedMs;
}

/**
 * Detects a source that sends bytes too slowly to wait for, although it never stops.
 *
 * @param windowMs waiting time, in milliseconds, over which the rate is measured.
 * @returns a function to call for each chunk, with its size and how long it was waited for. It returns false
 * if the source is too slow.
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
