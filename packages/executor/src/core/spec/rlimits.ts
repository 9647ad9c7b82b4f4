import { closest } from "fastest-levenshtein";
import { refuse } from "../refuse.js";
import type { PosixRlimit } from "./spec.js";

/** The resources of getrlimit(2), as docker spells them. */
export const RLIMITS: readonly string[] = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

const ALLOWED =
  "whole numbers from 0, soft not above hard, or -1 for unlimited; example: nofile: { soft: 1024, hard: 4096 }";

/** A soft and a hard limit; -1 is unlimited. */
export interface Ulimit {
  readonly soft: number;
  readonly hard: number;
}

/** RLIM_INFINITY. A `number` cannot hold it, and the nearest one overflows in the runtime's JSON parser. */
const UNLIMITED = 2n ** 64n - 1n;

/**
 * The highest hard limits that take nothing from others on the machine, by what kernels and service managers
 * give anyway. A name that is missing here limits only the process itself, or what its control group limits;
 * any value is harmless. `nice` counts down from 20: above 20, a process goes before others.
 */
const HARMLESS: Readonly<Record<string, number>> = {
  memlock: 8 * 1024 * 1024,
  msgqueue: 819_200,
  nice: 20,
  nofile: 1024 * 1024,
  rtprio: 0,
  sigpending: 65_536,
};

/** Returns the highest harmless limit if this one is above it, else undefined. */
export function exceededBy(name: string, { hard }: Ulimit): number | undefined {
  const most = Object.hasOwn(HARMLESS, name) ? HARMLESS[name] : undefined;
  return most !== undefined && (hard === -1 || hard > most) ? most : undefined;
}

/**
 * Returns default limits for a step. Daemons run with anything from 1024 open files to a thousand million.
 * With a thousand million, programs that close every possible descriptor before they start another program
 * take minutes. A program that needs more than the soft limit raises it up to the hard one, which is
 * systemd's.
 *
 * @param maximumOpenFiles the daemon's hard limit, if the daemon cannot raise it
 */
export function createDefaultUlimits(maximumOpenFiles = Number.POSITIVE_INFINITY): Record<string, Ulimit> {
  const hard = Math.min(DEFAULT_OPEN_FILES.hard, maximumOpenFiles);
  return { nofile: { soft: Math.min(DEFAULT_OPEN_FILES.soft, hard), hard } };
}

const DEFAULT_OPEN_FILES: Ulimit = { soft: 65_536, hard: 524_288 };

/**
 * Returns the resource limits of a step's process, by name (`nofile`, `core`, ...). Other limits are
 * inherited from the daemon's shim. If a hard limit is above the shim's own, the shim needs CAP_SYS_RESOURCE;
 * otherwise the runtime fails.
 *
 * @throws ExecutorError `refused` for an unknown name, a value that is not a limit, and a soft limit above
 * the hard one.
 */
export function createRlimits(ulimits: Readonly<Record<string, Ulimit>>): PosixRlimit[] {
  return Object.entries(ulimits).map(([name, { soft, hard }]) => {
    const field = `ulimits.${name}`;
    if (!RLIMITS.includes(name)) {
      const nearest = closest(name, RLIMITS);
      refuse("ulimits", `${JSON.stringify(name)} is unknown; did you mean ${nearest}?`, RLIMITS.join(", "));
    }
    for (const value of [soft, hard]) {
      if (!Number.isSafeInteger(value) || value < -1) refuse(field, `${value} is not a valid limit`, ALLOWED);
    }
    if (hard !== -1 && (soft === -1 || soft > hard))
      refuse(field, `soft ${soft} is above hard ${hard}`, ALLOWED);
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: toWire(soft), hard: toWire(hard) };
  });
}

function toWire(limit: number): number | bigint {
  return limit === -1 ? UNLIMITED : limit;
}
