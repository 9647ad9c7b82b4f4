/**
 * The ids of steps that this process has recovered, and whose processes were never started. They may be
 * started again while what was prepared for them is still being removed.
 */
export const neverStarted = new Set<string>();
