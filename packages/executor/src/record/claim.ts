import { type Client, isContainerdError } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { abandonedSteps } from "./abandoned.js";
import { toExtensions } from "./record-keeper.js";
import { claimNumberOf, findOwner, findRecorded, isSameStep, type RecordedStep } from "./recorded-step.js";

/** As long as that of a step. Afterwards the step's record names the owner. */
const LEASE_MS = 24 * 60 * 60 * 1000;

/** A step that is this process's from now on. */
export interface ClaimedStep {
  /** As it is now: its record names this process. */
  readonly step: RecordedStep;
  /** The daemon's clock, in milliseconds since 1970. */
  readonly daemonMs: number;
  /** Gives the step up. What is left of it stays. */
  giveUp(): Promise<void>;
  /**
   * Removes all claims on the step. Call it when nothing else is left of the step: then its id may be used
   * again.
   */
  removeClaims(): Promise<void>;
}

/**
 * Takes a step over whose process has ended. Of several processes that try it, one succeeds: a lease
 * `<id>.own.<n>` can be created once, and the step must still be the one that was looked at.
 *
 * @returns undefined if another process has the step, or took it meanwhile, or it is gone.
 */
export async function claimStep(client: Client, seen: RecordedStep): Promise<ClaimedStep | undefined> {
  if ((await findOwner(seen)) !== undefined) return undefined;
  const { id } = seen;
  const number = 1 + Math.max(claimNumberOf(seen), ...seen.claims.map((claim) => claim.number));
  const owner = await currentOwner();
  const claimId = `${id}.own.${number}`;
  const labels = { [LABELS.owner]: owner, [LABELS.claim]: id };
  const claim = await client.leases.create({ id: claimId, expireMs: LEASE_MS, labels }).catch(ifTaken);
  if (claim === undefined) return undefined;
  const giveUp = (): Promise<void> => client.leases.delete(claimId);
  try {
    const step = await takeOver(client, seen, { owner, number });
    if (step === undefined) {
      await giveUp();
      return undefined;
    }
    abandonedSteps.delete(id);
    const leases = [...seen.claims.map(({ lease }) => lease.id), claimId];
    return {
      step,
      daemonMs: claim.createdAt.getTime(),
      giveUp,
      async removeClaims() {
        for (const lease of leases) await client.leases.delete(lease);
      },
    };
  } catch (reason) {
    // This process lives, so nobody else could take it.
    await giveUp().catch(() => undefined);
    throw reason;
  }
}

/** Names the new owner in the step's record, if it is still the step that was looked at. */
async function takeOver(
  client: Client,
  seen: RecordedStep,
  { owner, number }: { readonly owner: string; readonly number: number },
): Promise<RecordedStep | undefined> {
  const now = await findRecorded(client, seen.id);
  if (now === undefined || !isUnchanged(seen, now)) return undefined;
  if (now.container === undefined || now.found.kind !== "record") return now;
  const record = { ...now.found.record, owner, claim: number };
  const labels = { [LABELS.owner]: owner };
  const container = await ignoreNotFound(
    client.containers.update(seen.id, { labels, extensions: toExtensions(record) }),
  );
  if (container === undefined) return undefined;
  return { ...now, container, found: { kind: "record", record } };
}

/** The same step, with the same owner. */
function isUnchanged(seen: RecordedStep, now: RecordedStep): boolean {
  const ownerOf = ({ container, lease }: RecordedStep): string | undefined =>
    (container ?? lease)?.labels[LABELS.owner];
  return isSameStep(seen, now) && ownerOf(seen) === ownerOf(now);
}

function ifTaken(reason: unknown): undefined {
  if (isContainerdError(reason, "already-exists")) return undefined;
  throw reason;
}
