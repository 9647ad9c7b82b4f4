/**
 * The ids of steps that a closed executor of this process could not release, or that an executor claimed and
 * could not take over. Their owner, this process, lives; nevertheless only `reap` removes them.
 */
export const abandonedSteps = new Set<string>();
