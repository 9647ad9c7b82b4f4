import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { StepResult } from "../core/output/result.js";
import { fromKeptResult } from "../core/recovery/kept-result.js";
import { refuseOtherStep } from "../core/recovery/run-attempt.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { ExecutorError } from "../error.js";
import { refuseIfAborted } from "../process/stop-signals.js";
import { type ClaimedStep, claimStep } from "../record/claim.js";
import { neverStarted } from "../record/never-started.js";
import { findOwner, findRecorded, isLeft, type RecordedStep } from "../record/recorded-step.js";
import { type Adoption, adoptStep } from "./adopt.js";
import type { StepContext } from "./context.js";
import { type AttemptedStep, type LeasedStep, leaseStep } from "./lease.js";
import { observeStep } from "./observe.js";
import type { ReopenedStep } from "./reopen.js";

/** How often to look at a step that another process prepares, in milliseconds. */
const PREPARING_MS = 20;

/** What a start of an attempt has come to. */
export type TakenAttempt =
  /** Nothing of the attempt ran: this process runs it. */
  | { readonly leased: LeasedStep }
  /** It had been started before. */
  | { readonly result: StepResult };

/**
 * Starts an attempt of a run, unless it was started before. Then it follows the step of a living process,
 * takes over that of a dead one, or gives the result of one that has ended, also if only that was kept. Of
 * several processes that start an attempt at once, one makes its lease, and runs it.
 *
 * @throws ExecutorError `refused` for another step under the same name; `runtime` if the attempt has ended in
 * another process, and was released before it could be followed.
 */
export async function takeAttempt(
  context: StepContext,
  attempted: AttemptedStep,
  adoption: Adoption,
): Promise<TakenAttempt> {
  const { run } = attempted;
  // Nobody else has its id.
  if (run === undefined) return { leased: (await leaseStep(context, attempted)) as LeasedStep };
  const { client } = context.machine;
  let reopened: ReopenedStep | undefined;
  for (let wasSeen = false; ; wasSeen = true) {
    refuseIfAborted(context.signals);
    const found = await findRecorded(client, context.id);
    if (found === undefined) {
      if (wasSeen && !neverStarted.has(context.id)) throw endedElsewhere(run);
      const leased = await leaseStep(context, attempted);
      neverStarted.delete(context.id);
      if (leased !== undefined) return { leased };
      continue;
    }
    const record = recordOf(found);
    if (record !== undefined) refuseOtherStep(record.run, run);
    const { kept } = found;
    if (record === undefined && kept !== undefined) {
      refuseOtherStep(kept.run, run);
      adoption.onStart(undefined);
      await adoption.onEnd();
      return { result: fromKeptResult(context.id, kept) };
    }
    if ((await findOwner(found)) === undefined) {
      const claimed = await claimStep(client, found);
      if (claimed === undefined) continue;
      const taken = await takeOver(context, claimed, { ...adoption, reopened });
      if ("result" in taken) return taken;
      const leased = await leaseStep(context, attempted);
      // Only now: until its lease is there, the claim tells others that the attempt is taken.
      await taken.removeClaims();
      if (leased !== undefined) return { leased };
    } else if (record === undefined || record.state === "preparing" || !(await isStarted(client, found))) {
      await delay(PREPARING_MS);
    } else {
      const end = await observeStep(context, found, record, { ...adoption, reopened }, isLeft(found));
      if (!("reopened" in end)) return { result: end };
      ({ reopened } = end);
    }
  }
}

/**
 * Takes over the attempt of a dead process. If it was not started, what is left of it is removed, but for the
 * claims on it.
 */
async function takeOver(
  context: StepContext,
  claimed: ClaimedStep,
  adoption: Adoption,
): Promise<{ readonly result: StepResult } | Pick<ClaimedStep, "removeClaims">> {
  const { id, release } = context;
  let keepsClaims = false;
  const result = await adoptStep(context, claimed, adoption, () => keepsClaims);
  if (result !== "not-started") return { result };
  keepsClaims = true;
  const [left] = await release.run();
  keepsClaims = false;
  if (left !== undefined)
    throw new ExecutorError(
      `what is left of an earlier start of step ${id} could not be removed: ${left.kind}: ${left.reason}`,
      { kind: "runtime" },
    );
  let isRemoved = false;
  const removeClaims = async (): Promise<void> => {
    if (!isRemoved) await claimed.removeClaims();
    isRemoved = true;
  };
  release.add({ kind: "lease", id }, removeClaims);
  return { removeClaims };
}

/**
 * Whether the process of an attempt was started. Its record alone does not tell it: it is written before. A
 * created process that is given up is killed, and looks ended then; its record tells that before.
 */
async function isStarted(client: Client, { id }: RecordedStep): Promise<boolean> {
  const task = await ignoreNotFound(client.tasks.get(id));
  if (task?.status === "created") return false;
  const now = await findRecorded(client, id);
  const state = now && recordOf(now)?.state;
  return state !== undefined && state !== "preparing";
}

/** Undefined: there is only a lease. */
function recordOf({ id, container, found }: RecordedStep): StepRecord | undefined {
  if (container === undefined) return undefined;
  if (found.kind === "record") return found.record;
  const problem = found.kind === "none" ? "another program, or an older version, has made it" : found.problem;
  throw new ExecutorError(`container ${id} cannot be taken over: ${problem}`, { kind: "runtime" });
}

function endedElsewhere({ runId, key, attempt }: NonNullable<StepRecord["run"]>): ExecutorError {
  return new ExecutorError(
    `attempt ${attempt} of ${JSON.stringify(key)} in ${JSON.stringify(runId)} has ended in another process, which has its result or error; it is not run again; allowed: another attempt`,
    { kind: "runtime" },
  );
}
