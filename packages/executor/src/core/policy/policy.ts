import { closest } from "fastest-levenshtein";
import { refuse, requireThat } from "../refuse.js";
import { parseCapabilities } from "../spec/capabilities.js";
import { DEFAULT_PIDS_LIMIT } from "../spec/resources.js";

/**
 * What an operator lets steps do beyond the default. It is given to the executor; nothing that a step says changes it. Lists hold
 * what is allowed; empty ones allow nothing.
 */
export interface Policy {
  /** All capabilities and devices, no seccomp, nothing masked. */
  readonly privileged: boolean;
  /** `network: host`. */
  readonly hostNetwork: boolean;
  /** `network: bridge`: the daemon's host, what it can reach, and with masquerading the world. */
  readonly bridgeNetwork: boolean;
  /**
   * Host paths that volumes may have as source, with all below them. `ordinary`: `/data`, `/media`, `/mnt` and
   * `/srv`. Some are refused whatever is said: `/`, `/etc`, `/proc`, `/sys`, `/dev`, the state, sockets and plugins of container runtimes, and
   * where the output of steps is, so `/tmp` and `/var/tmp` themselves.
   */
  readonly mountSources: readonly string[] | "ordinary";
  /** Named volumes and caches, by name. What one step leaves in them, others find. `any`: all. */
  readonly volumes: readonly string[] | "any";
  /** Capabilities beyond the fourteen that root has by default; `ALL` allows all. */
  readonly capabilities: readonly string[];
  /** `profile`: a profile of the step's own, which may allow everything and so is as much as `unconfined`: none at all. */
  readonly seccomp: readonly ("profile" | "unconfined")[];
  /** AppArmor profiles by name, `unconfined` among them. `any`: all. */
  readonly apparmorProfiles: readonly string[] | "any";
  /** `no_new_privileges: false`: set-uid programs and file capabilities work. */
  readonly newPrivileges: boolean;
  /** Devices by their path in the container and by their numbers, `/dev/fuse` or `c 10:229`. `any`: all. */
  readonly devices: readonly string[] | "any";
  /** Kernel parameters of the step's own namespaces: names, or `net.*`. `any`: all. */
  readonly sysctls: readonly string[] | "any";
  /** Registries by host (and port) that images come from. `any`: all. */
  readonly registries: readonly string[] | "any";
  /** `user: image`. */
  readonly imageUser: boolean;
  /** Annotations by key; runtimes take orders from some. `any`: all. */
  readonly annotations: readonly string[] | "any";
  /** Daemons that a step may name instead of the executor's: `containerd_addr`, as written. `any`: all. */
  readonly addresses: readonly string[] | "any";
  /** The lowest `oom_score_adj`: below 0, the kernel kills others first. */
  readonly minimumOomScoreAdj: number;
  /** `ulimits` by name that take from others: locked memory, real-time priority, more open files than services have. `any`: all. */
  readonly ulimits: readonly string[] | "any";
  /** The highest `pids_limit`; -1 for any. */
  readonly maximumPids: number;
  /** The most `memory`, and `memory_swap`; a step that says no limit has this one. What is in a tmpfs or `/dev/shm` counts. -1 for any. */
  readonly maximumMemoryBytes: number;
  /** The longest `timeout`; a step that says none has this one. -1 for any. */
  readonly maximumTimeoutMs: number;
  /** The longest `stop_grace`, in milliseconds: so long a step that is told to end may go on. -1 for any. */
  readonly maximumStopGraceMs: number;
}

/** What steps may do where the operator says nothing: nothing that widens. */
export const DEFAULT_POLICY: Policy = {
  privileged: false,
  hostNetwork: false,
  bridgeNetwork: false,
  mountSources: [],
  volumes: [],
  capabilities: [],
  seccomp: [],
  apparmorProfiles: [],
  newPrivileges: false,
  devices: [],
  sysctls: [],
  registries: "any",
  imageUser: false,
  annotations: [],
  addresses: [],
  minimumOomScoreAdj: 0,
  ulimits: [],
  maximumPids: DEFAULT_PIDS_LIMIT,
  maximumMemoryBytes: -1,
  maximumTimeoutMs: -1,
  maximumStopGraceMs: 60_000,
};

/** All that a policy can allow: for whoever could do the same with the daemon's socket, as the person at a terminal can. */
export const UNRESTRICTED_POLICY: Policy = {
  privileged: true,
  hostNetwork: true,
  bridgeNetwork: true,
  mountSources: ["/"],
  volumes: "any",
  capabilities: ["ALL"],
  seccomp: ["profile", "unconfined"],
  apparmorProfiles: "any",
  newPrivileges: true,
  devices: "any",
  sysctls: "any",
  registries: "any",
  imageUser: true,
  annotations: "any",
  addresses: "any",
  minimumOomScoreAdj: -1000,
  ulimits: "any",
  maximumPids: -1,
  maximumMemoryBytes: -1,
  maximumTimeoutMs: -1,
  maximumStopGraceMs: -1,
};

type Check = (value: unknown) => boolean;

const isBoolean: Check = (value) => typeof value === "boolean";
const isInteger: Check = (value) => Number.isSafeInteger(value);
const isLimit: Check = (value) => value === -1 || (isInteger(value) && (value as number) > 0);
const isListOf =
  (pattern: RegExp): Check =>
  (value) =>
    Array.isArray(value) && value.every((item) => typeof item === "string" && pattern.test(item));
const isOr =
  (word: string, check: Check): Check =>
  (value) =>
    value === word || check(value);

/** How each key is checked, and what an error says is allowed. */
const KEYS: Readonly<Record<keyof Policy, readonly [check: Check, allowed: string]>> = {
  privileged: [isBoolean, "true or false"],
  hostNetwork: [isBoolean, "true or false"],
  bridgeNetwork: [isBoolean, "true or false"],
  mountSources: [
    isOr("ordinary", isListOf(/^\/(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*$/)),
    "a list of absolute paths without . and .., or ordinary",
  ],
  volumes: [isOr("any", isListOf(/./)), "a list of names, or any"],
  capabilities: [isListOf(/./), "a list of names from capabilities(7), or ALL"],
  seccomp: [isListOf(/^(profile|unconfined)$/), "a list of profile, unconfined"],
  apparmorProfiles: [isOr("any", isListOf(/./)), "a list of names, or any"],
  newPrivileges: [isBoolean, "true or false"],
  devices: [
    isOr("any", isListOf(/^(\/dev\/.|[bc] \d+:\d+$)/)),
    "a list of paths below /dev whose numbers are fixed, of numbers as c 10:229, or any",
  ],
  sysctls: [isOr("any", isListOf(/^[\w.*/-]+$/)), "a list of names, net.* for all that begin so, or any"],
  registries: [isOr("any", isListOf(/^[\w.-]+(:\d+)?$/)), "a list of hosts, with port if need be, or any"],
  imageUser: [isBoolean, "true or false"],
  annotations: [isOr("any", isListOf(/./)), "a list of keys, or any"],
  addresses: [isOr("any", isListOf(/./)), "a list of addresses, or any"],
  minimumOomScoreAdj: [isInteger, "-1000 to 1000"],
  ulimits: [isOr("any", isListOf(/^[a-z]+$/)), "a list of names, or any"],
  maximumPids: [isInteger, "1 or more, or -1 for any number"],
  maximumMemoryBytes: [isLimit, "bytes, or -1 for any number of them"],
  maximumTimeoutMs: [isLimit, "milliseconds, or -1 for any number of them"],
  maximumStopGraceMs: [isInteger, "milliseconds, or -1 for any number of them"],
};

/**
 * Reads a policy as people write it: an object with the keys of {@link Policy}, in snake_case or camelCase, each with the default of
 * {@link DEFAULT_POLICY}.
 *
 * @throws ExecutorError `refused` for an unknown key, with the nearest known one, and for a value that is not as it must be.
 */
export function parsePolicy(input: unknown): Policy {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    refuse(
      "policy",
      "it is no object",
      `an object with some of ${Object.keys(KEYS).map(toSnakeCase).join(", ")}`,
    );
  }
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(input)) {
    const key = toKey(name);
    requireThat(!Object.hasOwn(given, key), `policy.${name}`, "it is given twice", "once");
    const [check, allowed] = KEYS[key];
    requireThat(check(value), `policy.${name}`, "its value is not as it must be", allowed);
    given[key] = key === "capabilities" ? parseCapabilities(value as string[], `policy.${name}`) : value;
  }
  return { ...DEFAULT_POLICY, ...given };
}

function toKey(name: string): keyof Policy {
  const camel = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (Object.hasOwn(KEYS, camel)) return camel as keyof Policy;
  const nearest = toSnakeCase(closest(camel, Object.keys(KEYS)));
  return refuse(
    "policy",
    `it has no key ${JSON.stringify(name)}; did you mean ${nearest}?`,
    "the keys of a policy",
  );
}

/** A policy's key as a policy file writes it. */
export function toSnakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
