import { closest, distance } from "fastest-levenshtein";
import { refuse, requireThat } from "../refuse.js";
import { parseCapabilities } from "../spec/capabilities.js";
import { DEFAULT_PIDS_LIMIT } from "../spec/resources.js";
import { areCamelCase, toCamelCase, toSnakeCase } from "../units/name-case.js";

/**
 * What an operator allows steps beyond the default. The operator gives it to the executor; a step cannot
 * change it. A list names what is allowed; an empty list allows nothing. {@link DEFAULT_POLICY} has the
 * defaults.
 */
export interface Policy {
  /** Allows `privileged: true`: all capabilities and devices, no seccomp filter, nothing masked. */
  readonly privileged: boolean;
  /** Allows `network: host`. */
  readonly hostNetwork: boolean;
  /**
   * Allows `network: bridge`: the step reaches the daemon's machine, what that machine can reach, and with
   * masquerading the internet.
   */
  readonly bridgeNetwork: boolean;
  /**
   * Host paths that volumes may mount, with everything below them. `ordinary`: `/data`, `/media`, `/mnt` and
   * `/srv`.
   *
   * Some paths are always refused: `/` and `/etc` themselves; `/proc`, `/sys` and `/dev`; the state, sockets
   * and plugins of container runtimes; and the directories for the output of steps, so also `/tmp` and
   * `/var/tmp` themselves.
   */
  readonly mountSources: readonly string[] | "ordinary";
  /** Named volumes and caches, by name. Other steps find what one step leaves in them. `any`: all. */
  readonly volumes: readonly string[] | "any";
  /** Capabilities beyond the fourteen that root has by default. `ALL`: every capability. */
  readonly capabilities: readonly string[];
  /**
   * Allows `seccomp: unconfined`, or a profile of the step's own (`profile`). Such a profile may allow
   * everything, so `profile` gives as much as `unconfined`: no filter at all.
   */
  readonly seccomp: readonly ("profile" | "unconfined")[];
  /** AppArmor profiles by name, including `unconfined`. `any`: all. */
  readonly apparmorProfiles: readonly string[] | "any";
  /** Allows `no_new_privileges: false`: set-uid programs and file capabilities work. */
  readonly newPrivileges: boolean;
  /** Devices by well-known path or by numbers: `/dev/fuse` or `c 10:229`. `any`: all. */
  readonly devices: readonly string[] | "any";
  /** Kernel parameters of the step's own namespaces: a name, or a group such as `net.*`. `any`: all. */
  readonly sysctls: readonly string[] | "any";
  /** Registries that images may come from: a host, with its port if it has one. `any`: all. */
  readonly registries: readonly string[] | "any";
  /** Allows `user: image`: the image chooses the user. */
  readonly imageUser: boolean;
  /** Annotations by key. Runtimes take orders from some of them. `any`: all. */
  readonly annotations: readonly string[] | "any";
  /** Daemons that a step may name in `containerd_addr`, as written there. `any`: all. */
  readonly addresses: readonly string[] | "any";
  /** The lowest `oom_score_adj`. Below 0, the kernel kills others first. */
  readonly minimumOomScoreAdj: number;
  /**
   * `ulimits`, by name, that a step may set so high that they take from others: locked memory, real-time
   * priority, more open files than services have. `any`: all.
   */
  readonly ulimits: readonly string[] | "any";
  /** The highest `pids_limit`; -1 for any. */
  readonly maximumPids: number;
  /**
   * The highest `memory` and `memory_swap`, in bytes; -1 for any. A step without a limit gets this one. Files
   * in a tmpfs or in `/dev/shm` count.
   */
  readonly maximumMemoryBytes: number;
  /** The longest `timeout`, in milliseconds; -1 for any. A step without a time-out gets this one. */
  readonly maximumTimeoutMs: number;
  /**
   * The longest `stop_grace`, in milliseconds; -1 for any. A step that is told to end may go on for this
   * long.
   */
  readonly maximumStopGraceMs: number;
  /** The most attempts that `retry` may ask for; -1 for any. */
  readonly maximumAttempts: number;
}

/** What an operator gives of a {@link Policy}. The rest has the values of {@link DEFAULT_POLICY}. */
export type PolicyOptions = { readonly [K in keyof Policy]?: Policy[K] | undefined };

/** The policy if the operator sets nothing. It allows nothing that widens a step's rights. */
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
  maximumAttempts: -1,
};

/**
 * Allows everything that a policy can allow. It is for callers who could do the same with the daemon's
 * socket, such as the person at a terminal.
 */
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
  maximumAttempts: -1,
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

/** How each key is checked, and what an error lists as allowed. */
const KEYS: Readonly<Record<keyof Policy, readonly [check: Check, allowed: string]>> = {
  privileged: [isBoolean, "true or false"],
  hostNetwork: [isBoolean, "true or false"],
  bridgeNetwork: [isBoolean, "true or false"],
  mountSources: [
    isOr("ordinary", isListOf(/^\/(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*$/)),
    "a list of absolute paths without . and .., or ordinary; example: [/srv/ci]",
  ],
  volumes: [isOr("any", isListOf(/./)), "a list of names, or any"],
  capabilities: [isListOf(/./), "a list of names from capabilities(7), or of ALL; example: [NET_ADMIN]"],
  seccomp: [isListOf(/^(profile|unconfined)$/), "a list of: profile, unconfined"],
  apparmorProfiles: [isOr("any", isListOf(/./)), "a list of names, or any"],
  newPrivileges: [isBoolean, "true or false"],
  devices: [
    isOr("any", isListOf(/^(\/dev\/.|[bc] \d+:\d+$)/)),
    "a list of well-known paths or of types and numbers, or any; example: [/dev/fuse, c 10:229]",
  ],
  sysctls: [
    isOr("any", isListOf(/^[\w.*/-]+$/)),
    "a list of names, which may end in .*, or any; example: [net.*, kernel.sem]",
  ],
  registries: [
    isOr("any", isListOf(/^[\w.-]+(:\d+)?$/)),
    "a list of hosts, or any; example: [docker.io, registry.example.com:5000]",
  ],
  imageUser: [isBoolean, "true or false"],
  annotations: [isOr("any", isListOf(/./)), "a list of keys, or any"],
  addresses: [isOr("any", isListOf(/./)), "a list of addresses, or any"],
  minimumOomScoreAdj: [isInteger, "-1000 to 1000"],
  ulimits: [isOr("any", isListOf(/^[a-z]+$/)), "a list of names, or any"],
  maximumPids: [isInteger, "1 or more, or -1 for no limit"],
  maximumMemoryBytes: [isLimit, "a number of bytes, or -1 for no limit"],
  maximumTimeoutMs: [isLimit, "a number of milliseconds, or -1 for no limit"],
  maximumStopGraceMs: [isInteger, "a number of milliseconds, or -1 for no limit"],
  maximumAttempts: [isLimit, "1 or more, or -1 for no limit"],
};

/**
 * Reads a policy: an object with keys of {@link Policy}, in snake_case or camelCase. A missing key gets its
 * value from {@link DEFAULT_POLICY}.
 *
 * @example
 * ```ts
 * const policy = parsePolicy({ mount_sources: ["/srv/ci"], host_network: true });
 * ```
 * @throws ExecutorError `refused` for an unknown key, with a known one that is near, for a key that is given
 * twice, and for an invalid value.
 */
export function parsePolicy(input: unknown): Policy {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    refuse(
      "policy",
      "is not an object",
      `an object with some of ${Object.keys(KEYS).map(toSnakeCase).join(", ")}`,
    );
  }
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const key = toKey(name, areCamelCase(Object.keys(input)));
    requireThat(!Object.hasOwn(given, key), `policy.${name}`, "is given twice", "each key once");
    const [check, allowed] = KEYS[key];
    requireThat(check(value), `policy.${name}`, `${shown(value)} is not allowed`, allowed);
    given[key] = key === "capabilities" ? parseCapabilities(value as string[], `policy.${name}`) : value;
  }
  return { ...DEFAULT_POLICY, ...given };
}

/** A value as it was given. One with parts is only named: JSON cannot show all of them. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (Array.isArray(value)) return "the list";
  return typeof value === "object" && value !== null ? "an object" : String(value).slice(0, 80);
}

function toKey(name: string, isCamel: boolean): keyof Policy {
  const camel = toCamelCase(name);
  if (Object.hasOwn(KEYS, camel)) return camel as keyof Policy;
  const nearest = closest(camel, Object.keys(KEYS));
  const isNear = distance(camel, nearest) <= Math.max(2, camel.length / 3);
  const hint = isNear ? `; did you mean ${isCamel ? nearest : toSnakeCase(nearest)}?` : "";
  return refuse(
    "policy",
    `has the unknown key ${JSON.stringify(name.slice(0, 80))}${hint}`,
    Object.keys(KEYS)
      .map((key) => (isCamel ? key : toSnakeCase(key)))
      .join(", "),
  );
}
