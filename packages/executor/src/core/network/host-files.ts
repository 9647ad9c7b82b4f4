import type { StepMount } from "../spec/mounts.js";
import type { StepConfig } from "../step.js";

/** A file that a step gets of its own, to be written beside its output. */
export interface HostFile {
  /** Where it is written, on our machine and the daemon's alike. */
  readonly path: string;
  readonly target: string;
  readonly contents: string;
}

/** What of a step its files of names depend on. */
export type NamedStep = Pick<StepConfig, "network" | "extraHosts" | "dns" | "dnsSearch" | "dnsOptions">;

/**
 * `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, as docker gives them to containers. On the daemon's own network a step has the
 * daemon's, except where it says something of its own.
 *
 * @param directory of the step's output.
 * @param dns servers for steps on the bridge that name none; undefined for those of the daemon's machine, which the bridge's hook writes.
 */
export function createHostFiles(
  step: NamedStep,
  hostname: string,
  directory: string,
  dns: readonly string[] | undefined,
): HostFile[] {
  const isHost = step.network === "host";
  const file = (name: string, contents: string): HostFile => ({
    path: `${directory}/${name}`,
    target: `/etc/${name}`,
    contents,
  });
  const resolver = {
    ...step,
    dns: step.dns.length > 0 || step.network !== "bridge" ? step.dns : (dns ?? []),
  };
  return [
    ...(isHost && step.extraHosts.length === 0 ? [] : [file("hosts", createHosts(step, hostname))]),
    file("hostname", `${hostname}\n`),
    ...(isHost && !hasResolver(step) ? [] : [file("resolv.conf", createResolvConf(resolver))]),
  ];
}

export function toMounts(files: readonly HostFile[]): StepMount[] {
  return files.map(({ path, target }) => ({ type: "bind", source: path, target }));
}

/** Whether a step says itself how names are looked up. */
export function hasResolver({ dns, dnsSearch, dnsOptions }: NamedStep): boolean {
  return dns.length + dnsSearch.length + dnsOptions.length > 0;
}

function createHosts({ extraHosts }: NamedStep, hostname: string): string {
  const lines = [
    ["127.0.0.1", "localhost"],
    ["::1", "localhost ip6-localhost ip6-loopback"],
    ["fe00::0", "ip6-localnet"],
    ["ff00::0", "ip6-mcastprefix"],
    ["ff02::1", "ip6-allnodes"],
    ["ff02::2", "ip6-allrouters"],
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
