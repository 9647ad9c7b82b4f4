import { ContainerdError } from "../error.js";

/**
 * Checks an option that is a number of things. With 0 of them, nothing would ever be done.
 *
 * @throws ContainerdError `invalid-argument` if the value is not a whole number of at least 1.
 */
export function checkCount(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  throw new ContainerdError(`${field}: ${value} is no count; allowed: a whole number, 1 or more`, {
    kind: "invalid-argument",
  });
}
