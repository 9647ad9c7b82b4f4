import { ContainerdError } from "../error.js";

/** @throws ContainerdError `invalid-argument` for what is no number of things: with none of them nothing would ever be done. */
export function checkCount(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  throw new ContainerdError(`${field}: ${value} is no count; allowed: a whole number, 1 or more`, {
    kind: "invalid-argument",
  });
}
