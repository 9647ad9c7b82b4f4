import type { IdMapping, Namespace } from "./spec.js";

/**
 * `none`: a network namespace of the step's own, in which the runtime brings loopback up. `bridge`: the same, and a hook of the runtime
 * joins it to a bridge. `host`: the daemon's host's. A path: an existing namespace on that host.
 */
export type Network = "none" | "bridge" | "host" | { readonly path: string };

/** A user namespace: which uids and gids of the daemon's host stand behind those of the step. */
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

/** A step's namespaces: its own pid, ipc, uts, mount and cgroup namespaces; network and user as asked. */
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
