import type { Client, Container, Lease } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound, isOwnerGone } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { type KeptResult, readResultLabels } from "../core/recovery/kept-result.js";
import { type FoundRecord, RECORD_EXTENSION, readRecord } from "../core/recovery/step-record.js";
import { isStepId } from "../step-id.js";
import { abandonedSteps } from "./abandoned.js";

/** What the daemon has of a step, as far as it says whose it is and how far it is. */
export interface RecordedStep {
  readonly id: string;
  /** Undefined: only a lease is there. The step is being prepared, or is almost released. */
  readonly container: Container | undefined;
  readonly found: FoundRecord;
  /** Its own lease, if that has not expired. */
  readonly lease: Lease | undefined;
  /** By which processes have taken it over, or are about to. */
  readonly claims: readonly StepClaim[];
  /** What stays of it when it is released. */
  readonly kept: KeptResult | undefined;
}

/** A lease by which a process takes a step over. Its id ends in its number. */
export interface StepClaim {
  readonly number: number;
  readonly lease: Lease;
}

/** Undefined if the daemon has nothing of the step. */
export async function findRecorded(client: Client, id: string): Promise<RecordedStep | undefined> {
  // The container first: the lease of a step is there until its container is gone.
  const container = await ignoreNotFound(client.containers.get(id));
  const leases = await client.leases.list(leaseFilters(id));
  return container === undefined && leases.length === 0 ? undefined : toRecorded(id, container, leases);
}

/** Find the leases of a step: its own, those by which it was claimed, and the one that has its result. */
export function leaseFilters(id: string): string[] {
  return [`id==${id}`, `labels."${LABELS.claim}"==${id}`];
}

/** The id of the lease that has the result of a step. It has no owner: it expires by itself. */
export function keptResultId(id: string): string {
  return `${id}.result`;
}

/** All steps of the client's namespace. */
export async function listRecorded(client: Client): Promise<RecordedStep[]> {
  const owned = [`labels."${LABELS.owner}"`];
  const containers = await client.containers.list(owned);
  const leases = await client.leases.list(owned);
  const idOf = (lease: Lease): string => lease.labels[LABELS.claim] ?? lease.id;
  const ids = new Set([...containers.map(({ id }) => id), ...leases.map(idOf)].filter(isStepId));
  return [...ids].map((id) =>
    toRecorded(
      id,
      containers.find((container) => container.id === id),
      leases.filter((lease) => idOf(lease) === id),
    ),
  );
}

/** @param leases its own, and those by which it was claimed. */
export function toRecorded(
  id: string,
  container: Container | undefined,
  leases: readonly Lease[],
): RecordedStep {
  return {
    id,
    container,
    found: readRecord(container?.extensions[RECORD_EXTENSION]),
    lease: leases.find((lease) => lease.id === id),
    claims: leases.flatMap((lease) => {
      const number = Number(/\.own\.(\d+)$/.exec(lease.id)?.[1] ?? Number.NaN);
      return lease.labels[LABELS.claim] === id && Number.isInteger(number) ? [{ number, lease }] : [];
    }),
    kept: readResultLabels(leases.find((lease) => lease.id === keptResultId(id))?.labels ?? {}),
  };
}

/** Whether it is still the same step: not a later one with the same id. */
export function isSameStep(seen: RecordedStep, now: RecordedStep): boolean {
  if (seen.container !== undefined || now.container !== undefined)
    return seen.container?.createdAt.getTime() === now.container?.createdAt.getTime();
  return seen.lease?.createdAt.getTime() === now.lease?.createdAt.getTime();
}

/**
 * Whether a step was left to itself: it belongs to no process, and none takes it over. While it was prepared,
 * it belonged to the process that did so.
 */
export function isLeft({ container, found }: Pick<RecordedStep, "container" | "found">): boolean {
  const isReady = found.kind === "record" && found.record.state !== "preparing";
  return isReady && container?.labels[LABELS.left] !== undefined;
}

/** How often a step was taken over, as its record says. */
export function claimNumberOf({ found }: RecordedStep): number {
  return found.kind === "record" ? found.record.claim : 0;
}

/**
 * The process that has a step: the one that its container or lease names, or one that is about to take it
 * over. Undefined if all of them have ended. A process that cannot be seen from here counts as living. Of a
 * step that was left to itself it may have ended long ago.
 */
export async function findOwner(step: RecordedStep): Promise<string | undefined> {
  const labels = step.container?.labels ?? step.lease?.labels ?? {};
  if (isLeft(step)) return labels[LABELS.owner];
  const newer = step.claims.filter(({ number }) => number > claimNumberOf(step));
  const owners = [labels[LABELS.owner], ...newer.map(({ lease }) => lease.labels[LABELS.owner])];
  const own = await currentOwner();
  for (const owner of owners) {
    if (owner === undefined || (owner === own && abandonedSteps.has(step.id))) continue;
    if ((await isOwnerGone(owner)) !== true) return owner;
  }
  return undefined;
}
