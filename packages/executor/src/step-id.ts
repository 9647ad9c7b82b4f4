import { randomBytes } from "node:crypto";

/** A new id for a step's container and everything else that it uses. Unique, and cannot be guessed. */
export function createStepId(): string {
  return `wfe-${randomBytes(10).toString("hex")}`;
}

export function isStepId(text: string): boolean {
  return /^wfe-[0-9a-f]{20}$/.test(text);
}
