import type { Strike } from "./fault/fault.js";

/** How often each fault has struck, by its name and the phase. */
export type StrikeCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

export function countStrikes(strikes: readonly Strike[]): StrikeCounts {
  const counts: Record<string, Record<string, number>> = {};
  for (const { fault, phase } of strikes) {
    const phases = counts[fault.name] ?? {};
    counts[fault.name] = { ...phases, [phase]: (phases[phase] ?? 0) + 1 };
  }
  return counts;
}
