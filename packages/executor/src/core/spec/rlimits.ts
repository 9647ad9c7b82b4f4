import { closest } from "fastest-levenshtein";
import { refuse } from "../refuse.js";
import type { PosixRlimit } from "./spec.js";

/** The resources of getrlimit(2), in docker's spelling. */
const RLIMITS: readonly string[] = [
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

/** One ulimit; -1 is unlimited. */
export interface Ulimit {
  readonly soft: number;
  readonly hard: number;
}

/** RLIM_INFINITY. No `number` is, and its nearest one overflows in the runtime's JSON parser. */
const UNLIMITED = 2n ** 64n - 1n;

/**
 * The highest hard limit of each that takes nothing from others on the machine, by what kernels and service managers give anyway. The ones that are not here limit the
 * process itself, or what its control group limits: any is harmless. `nice` counts from 20 downwards: above it, a process goes before others.
 */
const HARMLESS: Readonly<Record<string, number>> = {
  memlock: 8 * 1024 * 1024,
  msgqueue: 819_200,
  nice: 20,
  nofile: 1024 * 1024,
  rtprio: 0,
  sigpending: 65_536,
};

/** The highest harmless limit, when this one is above it; undefined when it is not. */
export function exceededBy(name: string, { hard }: Ulimit): number | undefined {
  const most = Object.hasOwn(HARMLESS, name) ? HARMLESS[name] : undefined;
  return most !== undefined && (hard === -1 || hard > most) ? most : undefined;
}

/**
 * Limits of steps that do not name them. Daemons run with anything from 1024 open files to a thousand million: with that many, programs that close every
 * possible descriptor before they start another program take minutes. Programs that need more than the soft limit raise it up to the hard
 * one, which is systemd's.
 *
 * @param maximumOpenFiles the daemon's hard limit, where it may not raise that.
 */
export function createDefaultUlimits(maximumOpenFiles = Number.POSITIVE_INFINITY): Record<string, Ulimit> {
  const hard = Math.min(DEFAULT_OPEN_FILES.hard, maximumOpenFiles);
  return { nofile: { soft: Math.min(DEFAULT_OPEN_FILES.soft, hard), hard } };
}

const DEFAULT_OPEN_FILES: Ulimit = { soft: 65_536, hard: 524_288 };

/**
 * Resource limits of a step's process, by name (`nofile`, `core`, ...). What is not named is inherited from the daemon's shim.
 * A hard limit above the shim's own needs CAP_SYS_RESOURCE there, else the runtime fails.
 *
 * @throws ExecutorError `refused` for an unknown name, a negative limit, a soft limit above the hard one.
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
