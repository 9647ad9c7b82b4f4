/** Names a process of a container: its first one, or with `execId` one that was added to it. */
export interface ProcessId {
  readonly containerId: string;
  readonly execId?: string | undefined;
}

/** How errors name a process. */
export function processName({ containerId, execId }: ProcessId): string {
  return execId === undefined ? `container ${containerId}` : `process ${execId} of container ${containerId}`;
}
