import type { Client } from "@wfe-containerd/client";
import { forEachConcurrently } from "@wfe-containerd/client/internal";
import { isSessionLabelled } from "../core/plan/labels.js";
import type { SecretValues } from "../core/step/secret.js";
import { ExecutorError } from "../error.js";
import type { RecoverOptions } from "../executor-options.js";
import { toExecutorError } from "../failure.js";
import { type ClaimedStep, claimStep } from "./claim.js";
import { findSteps } from "./found-step.js";
import { maskedValuesOf } from "./masked-values.js";
import { findOwner, isLeft, listRecorded, type RecordedStep } from "./recorded-step.js";
import { type ListedStep, toListed } from "./steps.js";

/** A step whose executor has ended. */
export type RecoveredStep =
  | { readonly id: string; readonly claimed: ClaimedStep; readonly masked: readonly Uint8Array[] }
  /** It cannot be taken over, and stays as it is. */
  | { readonly id: string; readonly error: ExecutorError };

const AT_A_TIME = 8;

/** Which steps are taken over. */
export interface Recoverable {
  readonly policy: "adopt" | "stop";
  /** By id. Undefined: all. */
  readonly steps?: readonly string[] | undefined;
}

/**
 * Takes over the steps of the client's namespace whose executor has ended, the oldest first.
 *
 * @param secrets the values of their secrets.
 */
export async function claimAll(
  client: Client,
  secrets: SecretValues,
  which: Recoverable,
): Promise<RecoveredStep[]> {
  const found = (await listRecorded(client)).filter((step) => isMeant(step, which));
  const recovered = new Map<string, RecoveredStep>();
  const { signal } = new AbortController();
  await forEachConcurrently(found, { count: AT_A_TIME, signal }, async (step) => {
    const own = await claimOne(client, step, secrets).catch((reason: unknown) => ({
      id: step.id,
      error: toExecutorError(reason),
    }));
    if (own !== undefined) recovered.set(step.id, own);
  });
  const ageOf = (id: string): number => {
    const { container, lease } = found.find((step) => step.id === id) ?? {};
    return (container ?? lease)?.createdAt.getTime() ?? 0;
  };
  return [...recovered.values()].toSorted((a, b) => ageOf(a.id) - ageOf(b.id));
}

/** The first process of a session only waits, and does not end by itself. So no session is adopted. */
function isMeant({ id, container }: RecordedStep, { policy, steps }: Recoverable): boolean {
  if (policy === "adopt" && isSessionLabelled(container?.labels)) return false;
  return steps?.includes(id) ?? true;
}

async function isOrphaned(step: RecordedStep): Promise<boolean> {
  // Only a lease: it was not prepared, or it is almost released. Without a record, an older version made it.
  // `gc` removes it.
  if (step.container === undefined || step.found.kind === "none") return false;
  return !isLeft(step) && (await findOwner(step)) === undefined;
}

/**
 * Lists the steps in the client's namespace that `Executor.recover` would take over, the oldest first.
 * Changes nothing.
 *
 * @param options those of `recover`.
 */
export async function listRecoverable(
  client: Client,
  { policy = "adopt" }: Pick<RecoverOptions, "policy"> = {},
): Promise<ListedStep[]> {
  const found = await findSteps(client);
  const isWanted = await Promise.all(
    found.map(async ({ recorded }) => isMeant(recorded, { policy }) && (await isOrphaned(recorded))),
  );
  const steps = await Promise.all(found.filter((_, at) => isWanted[at]).map(toListed));
  return steps.toSorted((a, b) => (a.createdAt?.getTime() ?? 0) - (b.createdAt?.getTime() ?? 0));
}

async function claimOne(
  client: Client,
  step: RecordedStep,
  secrets: SecretValues,
): Promise<RecoveredStep | undefined> {
  if (!(await isOrphaned(step))) return undefined;
  const { id, found } = step;
  if (found.kind === "none") return undefined;
  if (found.kind === "unreadable") {
    const message = `step ${id} cannot be taken over: ${found.problem}`;
    return { id, error: new ExecutorError(message, { kind: "runtime" }) };
  }
  const problem = "cannot be taken over and goes on without an executor";
  const masked = maskedValuesOf(id, found.record, secrets, problem);
  const claimed = await claimStep(client, step);
  return claimed && { id, claimed, masked };
}
