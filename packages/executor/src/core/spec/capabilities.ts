import { closest, distance } from "fastest-levenshtein";
import { refuse } from "../refuse.js";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "./capability-names.js";
import type { LinuxCapabilities } from "./spec.js";

export interface CapabilityOptions {
  readonly uid: number;
  /** Names with or without `CAP_`, in any case, or `ALL`. */
  readonly add?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  /** Starts from every capability instead of the default ones. */
  readonly privileged?: boolean | undefined;
  /** Set-uid programs and file capabilities work: a user who has none of root's then keeps them in the bounding set. */
  readonly newPrivileges?: boolean | undefined;
  /** What the daemon itself has to give: `ALL`, privileged and the defaults mean those of these. Default: every one. */
  readonly available?: readonly string[] | undefined;
}

/**
 * The capability sets of a step's process.
 *
 * The start is the fourteen defaults for uid 0, nothing for any other user, everything when privileged. Then docker's order: adding
 * `ALL` gives everything that is not dropped by name; dropping `ALL` leaves only what is added; otherwise drops go before adds, so
 * that a name in both is kept.
 *
 * Where privileges may be gained, the bounding set of another user is root's, as docker has it: without it a set-uid program would run as a root that may do
 * nothing.
 *
 * A root process holds the result in bounding, permitted and effective. The kernel clears those last two when another user's process
 * execs, and docker leaves it at that, so that there `--user nobody --cap-add NET_ADMIN` gives nothing. Here what was added *for
 * another user* is made inheritable and ambient as well, and therefore works. Root never gets inheritable or ambient ones.
 *
 * @throws ExecutorError `refused` for a name that is no capability, with the nearest that is.
 */
export function createCapabilities(options: CapabilityOptions): LinuxCapabilities {
  const add = parseCapabilities(options.add ?? [], "cap_add");
  const drop = parseCapabilities(options.drop ?? [], "cap_drop");
  const available = options.available ?? CAPABILITIES;
  const held = tweak(baseOf(options), add, drop, available);
  const reachable =
    options.newPrivileges === true ? tweak(baseOf({ ...options, uid: 0 }), add, drop, available) : held;
  const ambient = options.uid === 0 ? [] : held.filter((name) => add.includes(name) || add.includes("ALL"));
  return {
    bounding: reachable,
    permitted: held,
    effective: held,
    inheritable: ambient,
    ambient,
  };
}

/**
 * The names in their one spelling: upper case, with `CAP_`; `ALL` stays. Without duplicates.
 *
 * @throws ExecutorError `refused`, naming `field`.
 */
export function parseCapabilities(names: readonly string[], field: string): string[] {
  return [...new Set(names.map((name) => parseCapability(name, field)))];
}

function parseCapability(name: string, field: string): string {
  const upper = name.toUpperCase();
  if (upper === "ALL") return upper;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (CAPABILITIES.includes(full)) return full;
  const start = full.slice(0, 64);
  const nearest = closest(start, CAPABILITIES);
  const hint = distance(start, nearest) <= 4 ? `; did you mean ${nearest.slice(4)}?` : "";
  refuse(
    field,
    `${JSON.stringify(name.slice(0, 64))} is not a capability${hint}`,
    "the names in capabilities(7), with or without CAP_, or ALL",
  );
}

function baseOf({ uid, privileged, available = CAPABILITIES }: CapabilityOptions): readonly string[] {
  if (privileged === true) return available;
  return uid === 0 ? DEFAULT_CAPABILITIES.filter((name) => available.includes(name)) : [];
}

function tweak(
  base: readonly string[],
  add: readonly string[],
  drop: readonly string[],
  available: readonly string[],
): string[] {
  if (add.includes("ALL")) return available.filter((name) => !drop.includes(name));
  const kept = drop.includes("ALL") ? [] : base.filter((name) => !drop.includes(name));
  return [...new Set([...kept, ...add])];
}
