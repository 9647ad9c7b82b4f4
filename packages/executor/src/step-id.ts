import { createHash, randomBytes } from "node:crypto";
import type { RunAttempt } from "./core/recovery/run-attempt.js";

const RANDOM_BYTES = 10;

/** A new id for a step's container and everything else that it uses. Unique, and cannot be guessed. */
export function createStepId(): string {
  return `wfe-${randomBytes(RANDOM_BYTES).toString("hex")}`;
}

/** The id of an attempt: always the same, in every process. */
export function attemptId({ runId, key, attempt }: RunAttempt): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([runId, key, attempt]))
    .digest("hex");
  return `wfe-${hash.slice(0, 2 * RANDOM_BYTES)}`;
}

export function isStepId(text: string): boolean {
  return /^wfe-[0-9a-f]{20}$/.test(text);
}
