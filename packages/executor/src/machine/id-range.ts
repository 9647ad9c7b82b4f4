import { ExecutorError } from "../error.js";

/**
 * The ids on the daemon's machine that steps with a user namespace are mapped to: id 0 to `hostId`, 1 to
 * `hostId` + 1, and so on.
 */
export interface IdRange {
  /**
   * The first id. The default is above the ids that people, services and subordinate ids are given.
   *
   * @default 1_000_000_000
   */
  readonly hostId?: number | undefined;
  /** How many ids. The default includes nobody, 65534. @default 65_536 */
  readonly size?: number | undefined;
}

/** A checked range, with its defaults. */
export interface CheckedIdRange {
  readonly hostId: number;
  readonly size: number;
}

const DEFAULT_HOST_ID = 1_000_000_000;
const DEFAULT_SIZE = 65_536;

/**
 * Checks the id range that the operator configured, and fills in the defaults.
 *
 * @throws ExecutorError `invalid-argument`.
 */
export function checkIdRange({ hostId = DEFAULT_HOST_ID, size = DEFAULT_SIZE }: IdRange): CheckedIdRange {
  const isRange =
    Number.isSafeInteger(hostId) &&
    Number.isSafeInteger(size) &&
    hostId > 0 &&
    size > 0 &&
    hostId + size < 2 ** 31;
  if (isRange) return { hostId, size };
  throw new ExecutorError(
    `userNamespace: hostId ${hostId} with size ${size} is not a range of ids; allowed: hostId and size from 1, with all ids below 2^31; example: hostId: 1000000000, size: 65536`,
    { kind: "invalid-argument" },
  );
}
