import { randomBytes } from "node:crypto";

/** Names a process of a container: its first one, or with `execId` one that was added to it. */
export interface ProcessId {
  readonly containerId: string;
  readonly execId?: string | undefined;
}

/** A new id for a process that is added to a container. Unique, and cannot be guessed. */
export function createExecId(): string {
  return `exec-${randomBytes(8).toString("hex")}`;
}

/** How errors name a process. */
export function processName({ containerId, execId }: ProcessId): string {
  return execId === undefined ? `container ${containerId}` : `process ${execId} of container ${containerId}`;
}
