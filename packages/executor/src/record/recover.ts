import type { Client } from "@wfe-containerd/client";
import { forEachConcurrently } from "@wfe-containerd/client/internal";
import { isSessionLabelled } from "../core/plan/labels.js";
import type { SecretValues } from "../core/step/secret.js";
import { ExecutorError } from "../error.js";
import { toExecutorError } from "../failure.js";
import { type ClaimedStep, claimStep } from "./claim.js";
import { maskedValuesOf } from "./masked-values.js";
import { findOwner, isLeft, listRecorded, type RecordedStep } from "./recorded-step.js";

/** A step whose executor has ended. */
export type RecoveredStep =
  | { readonly id: string; readonly claimed: ClaimedStep; readonly masked: readonly Uint8Array[] }
  /** It cannot be taken over, and stays as it is. */
  | { readonly id: string; readonly error: ExecutorError };

const AT_A_TIME = 8;

/**
 * Takes over all steps of the client's namespace whose executor has ended, the oldest first.
 *
 * @param withSessions also takes over sessions. Their first process only waits, and does not end by itself.
 */
export async function claimAll(
  client: Client,
  secrets: SecretValues,
  withSessions: boolean,
): Promise<RecoveredStep[]> {
  const all = await listRecorded(client);
  const found = all.filter(({ container }) => withSessions || !isSessionLabelled(container?.labels));
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

async function claimOne(
  client: Client,
  step: RecordedStep,
  secrets: SecretValues,
): Promise<RecoveredStep | undefined> {
  const { id, container, found } = step;
  if (isLeft(step) || (await findOwner(step)) !== undefined) return undefined;
  // Only a lease: it was not prepared, or it is almost released. Without a record, an older version made it.
  // `gc` removes it.
  if (container === undefined || found.kind === "none") return undefined;
  if (found.kind === "unreadable") {
    const message = `step ${id} cannot be taken over: ${found.problem}`;
    return { id, error: new ExecutorError(message, { kind: "runtime" }) };
  }
  const problem = "cannot be taken over and goes on without an executor";
  const masked = maskedValuesOf(id, found.record, secrets, problem);
  const claimed = await claimStep(client, step);
  return claimed && { id, claimed, masked };
}
