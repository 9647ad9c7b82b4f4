import { randomBytes } from "node:crypto";

/** Names a step's container, and everything else that it holds: unique, and not to be guessed. */
export function createStepId(): string {
  return `wfe-${randomBytes(10).toString("hex")}`;
}

export function isStepId(text: string): boolean {
  return /^wfe-[0-9a-f]{20}$/.test(text);
}
