/** What of the samples is above this share of them. */
export function quantile(samples, share) {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function median(samples) {
  return quantile(samples, 0.5);
}

export function round(value, digits = 1) {
  return Number(value.toFixed(digits));
}

/** How many milliseconds the work takes. */
export async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** How many milliseconds of CPU this process takes for the work. */
export async function cpuOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Does the work `total` times, and `width` at a time. */
export async function atOnce(width, total, work) {
  let left = total;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) await work();
    }),
  );
}

/**
 * Runs contenders in turns, so that a slow moment of the machine affects all. Each turn begins with another
 * one.
 *
 * @param measure called with a contender.
 * @returns the results by the contender's name.
 */
export async function inTurns(contenders, turns, measure) {
  const results = new Map(contenders.map(({ name }) => [name, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (let at = 0; at < contenders.length; at++) {
      const contender = contenders[(at + turn) % contenders.length];
      results.get(contender.name).push(await measure(contender));
    }
  }
  return results;
}
