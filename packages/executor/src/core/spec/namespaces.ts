import type { IdMapping, Namespace } from "./spec.js";

/**
 * The network of a step.
 * - `none`: a network namespace of its own, in which the runtime sets up loopback.
 * - `bridge`: the same, and a runtime hook joins it to a bridge.
 * - `host`: the network of the daemon's machine.
 * - a path: an existing network namespace on that machine.
 */
export type Network = "none" | "bridge" | "host" | { readonly path: string };

/** A user namespace: which ids of the daemon's machine the step's uids and gids map to. */
export interface UserNamespace {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

export interface NamespaceOptions {
  readonly network: Network;
  readonly userNamespace?: UserNamespace | undefined;
  /** `false` on a kernel without cgroup namespaces (before 4.6). Default `true`. */
  readonly cgroupNamespace?: boolean | undefined;
}

/**
 * Returns a step's namespaces: its own pid, ipc, uts, mount and cgroup namespaces; network and user as asked.
 */
export function createNamespaces(options: NamespaceOptions): Namespace[] {
  const { network, userNamespace, cgroupNamespace = true } = options;
  const namespaces: Namespace[] = [{ type: "pid" }, { type: "ipc" }, { type: "uts" }, { type: "mount" }];
  if (cgroupNamespace) namespaces.push({ type: "cgroup" });
  if (network !== "host") {
    namespaces.push(
      typeof network === "string" ? { type: "network" } : { type: "network", path: network.path },
    );
  }
  if (userNamespace !== undefined) namespaces.push({ type: "user" });
  return namespaces;
}
