/**
 * The ids of steps that a closed executor of this process could not release. Their owner, this process,
 * lives; nevertheless nobody removes them but `removeOrphans`.
 */
export const abandonedSteps = new Set<string>();
