import { refuse } from "../refuse.js";
import { isKernelAtLeast } from "./kernel.js";
import type { Network } from "./namespaces.js";

const IPC_SYSCTLS: readonly string[] = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

const ALLOWED = `net.* unless network is host, fs.mqueue.*, ${IPC_SYSCTLS.join(", ")}`;

/** The facts about a step and its daemon that the allowed and default sysctls depend on. */
export interface SysctlOptions {
  readonly network: Network;
  /** Number of gids in the step's own user namespace; undefined if it has none. */
  readonly mappedGids?: number | undefined;
  /** Whether the daemon itself runs in a user namespace; undefined if unknown. */
  readonly daemonInUserNamespace?: boolean | undefined;
  /** Kernel release of the daemon's machine, as uname(2) prints it. */
  readonly kernelVersion?: string | undefined;
}

/**
 * Returns the kernel parameters of a step's own namespaces. Any other parameter would change the host.
 *
 * In its own network, a step may by default listen on any port and send pings without a capability, as in
 * docker.
 *
 * @throws ExecutorError `refused` for a parameter that belongs to no namespace, for `net.*` on a network that
 * the step does not own, and for a value with a line break or NUL byte.
 */
export function createSysctls(
  sysctls: Readonly<Record<string, string>>,
  options: SysctlOptions,
): Record<string, string> {
  const isOwn = options.network === "none" || options.network === "bridge";
  for (const [name, value] of Object.entries(sysctls)) {
    const isNetwork = /^net\.[\w./-]+$/.test(name) && !name.includes("..");
    if (isNetwork && !isOwn)
      refuse("sysctls", `${name} would change the network of the daemon's machine`, ALLOWED);
    if (!isNetwork && !IPC_SYSCTLS.includes(name) && !/^fs\.mqueue\.\w+$/.test(name)) {
      refuse("sysctls", `${name} would change the whole machine of the daemon`, ALLOWED);
    }
    if (/[\0\r\n]/.test(value))
      refuse("sysctls", `${name} has a value with a line break or NUL byte`, ALLOWED);
  }
  return { ...(isOwn ? defaultsFor(sysctls, options) : {}), ...sysctls };
}

/** Both spellings name the same parameter: `net.ipv4.ping_group_range`, `net.ipv4/ping_group_range`. */
const spellDotted = (name: string): string => name.replaceAll("/", ".");

function defaultsFor(
  given: Readonly<Record<string, string>>,
  { mappedGids, daemonInUserNamespace, kernelVersion }: SysctlOptions,
): Record<string, string> {
  const names = new Set(Object.keys(given).map(spellDotted));
  // The kernel refuses a range with gids that the user namespace does not map.
  const gids = mappedGids ?? (daemonInUserNamespace === false ? 2 ** 31 : 2 ** 16);
  const defaults = {
    ...(isKernelOlder(kernelVersion, 4, 11) ? {} : { "net.ipv4.ip_unprivileged_port_start": "0" }),
    "net.ipv4.ping_group_range": `0 ${gids - 1}`,
  };
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !names.has(name)));
}

function isKernelOlder(release: string | undefined, major: number, minor: number): boolean {
  return release !== undefined && !isKernelAtLeast(release, major, minor);
}
