import type { ArchiveEntry } from "../plan/archive.js";
import type { StepMount } from "../spec/mounts.js";
import type { StepConfig } from "../step/step.js";
import type { Bridge } from "./bridge.js";

/** The files of names in every step. */
export const HOST_FILE_TARGETS = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"] as const;

/** The `/etc/hosts`, `/etc/hostname` or `/etc/resolv.conf` that a step gets. */
export interface HostFile {
  readonly target: string;
  readonly contents: string;
  /**
   * Where the file is written, next to the step's output. The path is the same on this machine and on the
   * daemon's, and is mounted read-only. Undefined: the file is put into the container's own layer, so that
   * the step's changes to it go where its other changes go.
   */
  readonly path?: string | undefined;
}

/** The fields of a step that these files depend on. */
export type NamedStep = Pick<
  StepConfig,
  | "network"
  | "extraHosts"
  | "dns"
  | "dnsSearch"
  | "dnsOptions"
  | "volumes"
  | "namedVolumes"
  | "caches"
  | "tmpfs"
>;

/**
 * Returns a step's `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, like docker's. On the network of the
 * daemon's machine, a step gets the contents of that machine's files, and its own additions.
 *
 * @param directory directory of the step's output
 * @param isWritable whether a process of the step may write to a file of root's
 */
export function createHostFiles(
  step: NamedStep,
  hostname: string,
  { directory, isWritable }: { readonly directory: string; readonly isWritable: boolean },
  { dns }: Pick<Bridge, "dns">,
): HostFile[] {
  const isHost = step.network === "host";
  const servers = step.dns.length > 0 || step.network !== "bridge" ? step.dns : (dns ?? []);
  const isMounted = !isWritable || coversEtc(step);
  const file = (name: string, contents: string, isCompleted = false): HostFile => ({
    target: `/etc/${name}`,
    contents,
    ...((isCompleted || isMounted) && { path: `${directory}/${name}` }),
  });
  return [
    file("hosts", createHosts(step, hostname), isHost),
    file("hostname", `${hostname}\n`),
    ...(isHost && !hasResolver(step)
      ? []
      : [file("resolv.conf", createResolvConf({ ...step, dns: servers }), takesServers(step, dns))]),
  ];
}

/** Tells whether a hook adds the name servers of the daemon's machine to the step's `resolv.conf`. */
export function takesServers(step: NamedStep, bridgeDns: Bridge["dns"]): boolean {
  if (step.dns.length > 0) return false;
  return step.network === "bridge" ? bridgeDns === undefined : step.network === "host";
}

/** A mount on `/etc` hides the files in the container's layer. */
export function coversEtc({ volumes, namedVolumes, caches, tmpfs }: NamedStep): boolean {
  return [...volumes, ...namedVolumes, ...caches, ...tmpfs].some(({ target }) => target === "/etc");
}

/** Returns the mounts of the files that have a path. */
export function toMounts(files: readonly HostFile[]): StepMount[] {
  return files.flatMap(({ path, target }): StepMount[] =>
    path === undefined ? [] : [{ type: "bind", source: path, target, readonly: true }],
  );
}

/**
 * Returns the archive entries of the files that go into the container's layer.
 *
 * @param owner the container's root
 */
export function toEntries(
  files: readonly HostFile[],
  owner: { readonly uid: number; readonly gid: number },
): ArchiveEntry[] {
  return files
    .filter(({ path }) => path === undefined)
    .map(({ target, contents }) => ({
      type: "file",
      name: target.slice(1),
      contents: new TextEncoder().encode(contents),
      mode: 0o644,
      ...owner,
    }));
}

/** Tells whether a step itself sets how names are looked up. */
function hasResolver({ dns, dnsSearch, dnsOptions }: NamedStep): boolean {
  return dns.length + dnsSearch.length + dnsOptions.length > 0;
}

/**
 * On the network of the daemon's machine, a hook adds the lines of that machine's file: see `host-names.ts`.
 */
function createHosts({ network, extraHosts }: NamedStep, hostname: string): string {
  const machine = [
    ["127.0.0.1", "localhost"],
    ["::1", "localhost ip6-localhost ip6-loopback"],
    ["fe00::0", "ip6-localnet"],
    ["ff00::0", "ip6-mcastprefix"],
    ["ff02::1", "ip6-allnodes"],
    ["ff02::2", "ip6-allrouters"],
  ];
  const lines = [
    ...(network === "host" ? [] : machine),
    // A step's own name always leads to the step itself, on every network.
    ["127.0.1.1", hostname],
    ...extraHosts.map(({ name, address }) => [address, name]),
  ];
  return lines.map(([address, names]) => `${address}\t${names}\n`).join("");
}

function createResolvConf({ dns, dnsSearch, dnsOptions }: NamedStep): string {
  return [
    ...dns.map((server) => `nameserver ${server}\n`),
    ...(dnsSearch.length === 0 ? [] : [`search ${dnsSearch.join(" ")}\n`]),
    ...(dnsOptions.length === 0 ? [] : [`options ${dnsOptions.join(" ")}\n`]),
  ].join("");
}
