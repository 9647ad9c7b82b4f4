import { refuse } from "../refuse.js";

/**
 * Checks an option that is a number of things. With 0 of them, nothing would ever be done.
 *
 * @throws ContainerdError `invalid-argument` if the value is not a whole number of at least 1.
 */
export function checkCount(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  refuse(`${field}: ${value} is not a valid number`, "a whole number, 1 or more");
}
