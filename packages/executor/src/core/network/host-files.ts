import type { ArchiveEntry } from "../plan/archive.js";
import type { StepMount } from "../spec/mounts.js";
import type { StepConfig } from "../step/step.js";
import type { Bridge } from "./bridge.js";

/** A file of names that a step gets of its own: `/etc/hosts`, `/etc/hostname` or `/etc/resolv.conf`. */
export interface HostFile {
  readonly target: string;
  readonly contents: string;
  /**
   * Where it is written beside the step's output, at the same path for us and for the daemon's machine, to be mounted read-only. Undefined: it is put into
   * the container's own layer, where it costs no mount, and what the step writes to it is written where everything else is.
   */
  readonly path?: string | undefined;
}

/** What of a step its files of names depend on. */
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
 * The files of names, as docker gives them to containers. On the daemon's own network a step has those of the daemon's machine, with what it says
 * besides.
 *
 * @param directory of the step's output.
 */
export function createHostFiles(
  step: NamedStep,
  hostname: string,
  directory: string,
  { dns }: Pick<Bridge, "dns">,
): HostFile[] {
  const isHost = step.network === "host";
  const servers = step.dns.length > 0 || step.network !== "bridge" ? step.dns : (dns ?? []);
  const isCovered = coversEtc(step);
  const file = (name: string, contents: string, isCompleted = false): HostFile => ({
    target: `/etc/${name}`,
    contents,
    ...((isCompleted || isCovered) && { path: `${directory}/${name}` }),
  });
  return [
    file("hosts", createHosts(step, hostname), isHost),
    file("hostname", `${hostname}\n`),
    ...(isHost && !hasResolver(step)
      ? []
      : [file("resolv.conf", createResolvConf({ ...step, dns: servers }), takesServers(step, dns))]),
  ];
}

/** Whether a hook completes the step's `resolv.conf` with the name servers of the daemon's machine. */
export function takesServers(step: NamedStep, bridgeDns: Bridge["dns"]): boolean {
  if (step.dns.length > 0) return false;
  return step.network === "bridge" ? bridgeDns === undefined : step.network === "host";
}

/** What is put into the container's layer is not seen where the step mounts something on `/etc`. */
function coversEtc({ volumes, namedVolumes, caches, tmpfs }: NamedStep): boolean {
  return [...volumes, ...namedVolumes, ...caches, ...tmpfs].some(({ target }) => target === "/etc");
}

export function toMounts(files: readonly HostFile[]): StepMount[] {
  return files.flatMap(({ path, target }): StepMount[] =>
    path === undefined ? [] : [{ type: "bind", source: path, target, readonly: true }],
  );
}

/** @param owner root of the container. */
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

/** Whether a step says itself how names are looked up. */
function hasResolver({ dns, dnsSearch, dnsOptions }: NamedStep): boolean {
  return dns.length + dnsSearch.length + dnsOptions.length > 0;
}

/** On the network of the daemon's machine a hook adds the lines of its own file: see `host-names.ts`. */
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
    // A step's own name always leads to itself, on whichever network it is.
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
