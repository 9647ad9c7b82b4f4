import { closest, distance } from "fastest-levenshtein";
import { refuse } from "../refuse.js";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "./capability-names.js";
import type { LinuxCapabilities } from "./spec.js";

/** The user of a step's process, and how its capabilities differ from the defaults. */
export interface CapabilityOptions {
  readonly uid: number;
  /** Names with or without `CAP_`, in any case, or `ALL`. */
  readonly add?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  /** Starts from every capability instead of the default ones. */
  readonly privileged?: boolean | undefined;
  /**
   * Set-uid programs and file capabilities work, or root may have a process in the container, too. A user
   * other than root then keeps root's capabilities in the bounding set.
   */
  readonly newPrivileges?: boolean | undefined;
  /**
   * The capabilities of the daemon itself. `ALL`, privileged and the defaults are limited to these. Default:
   * every capability.
   */
  readonly available?: readonly string[] | undefined;
}

/**
 * Returns the capability sets of a step's process.
 *
 * The start is the fourteen defaults for uid 0, nothing for any other user, and every capability if
 * privileged. Then the changes follow docker's order:
 * - Adding `ALL` gives every capability that is not dropped by name.
 * - Dropping `ALL` leaves only the added ones.
 * - Otherwise drops go before adds, so a name in both is kept.
 *
 * With `newPrivileges`, another user has root's bounding set, as in docker. Without it, a set-uid program
 * would run as a root that may do nothing.
 *
 * A root process has the result in bounding, permitted and effective. The kernel clears permitted and
 * effective when a process of another user execs. Docker leaves it at that, so
 * `--user nobody --cap-add NET_ADMIN` has no effect in docker. Here, a capability *added for another user*
 * becomes inheritable and ambient too, and therefore works. Root never gets inheritable or ambient
 * capabilities.
 *
 * @throws ExecutorError `refused` for an unknown name; the message suggests a near one.
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
 * Returns the names in one spelling, without duplicates: upper case, with `CAP_`. `ALL` stays `ALL`.
 *
 * @throws ExecutorError `refused`, naming `field`, for an unknown name.
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
