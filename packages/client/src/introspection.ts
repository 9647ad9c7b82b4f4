import { CALL_OPTIONS, type CallOptions, callService } from "./call.js";
import type { Context } from "./context.js";
import { ContainerdError } from "./error.js";
import { normalizePlatform, type Platform } from "./oci/platform.js";
import type { NounOptions } from "./options.js";

/** A plugin of the daemon. */
export interface DaemonPlugin {
  /** `io.containerd.snapshotter.v1` and the like. */
  readonly type: string;
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  /** Why the plugin does not work. Undefined if it works. */
  readonly failure: string | undefined;
}

/** Identifies a daemon. */
export interface DaemonIdentity {
  /** Stays the same when the daemon restarts. */
  readonly uuid: string;
  /** The daemon's process. Undefined before containerd 1.7. */
  readonly process: DaemonProcess | undefined;
}

/** The process of a daemon. */
export interface DaemonProcess {
  readonly pid: number;
  /** Inode of the PID namespace to which `pid` belongs, as `/proc/self/ns/pid` shows it. */
  readonly pidNamespace: number;
}

/** The daemon's description of itself (`services/introspection/v1`). */
export interface Introspection {
  /**
   * Lists the daemon's plugins, including those that do not work.
   *
   * @param filters in containerd's filter language: `type==io.containerd.snapshotter.v1`. A plugin is listed
   * if any filter matches.
   */
  plugins(filters?: readonly string[], options?: CallOptions): Promise<DaemonPlugin[]>;
  /** Reads the identity of the daemon. */
  server(options?: CallOptions): Promise<DaemonIdentity>;
  /**
   * The platform for which the daemon runs containers. It comes from the first working differ or snapshotter
   * plugin that reports one.
   *
   * @throws ContainerdError `failed-precondition` when no such plugin reports a platform.
   */
  daemonPlatform(options?: CallOptions): Promise<Platform>;
}

export const INTROSPECTION_OPTIONS: NounOptions<Introspection> = {
  plugins: ["1", CALL_OPTIONS],
  server: ["0", CALL_OPTIONS],
  daemonPlatform: ["0", CALL_OPTIONS],
};

export function createIntrospection({ services: { introspection } }: Context): Introspection {
  const plugins: Introspection["plugins"] = (filters = [], options) =>
    callService("list the daemon's plugins", async () => {
      const response = await introspection.plugins({ filters: [...filters] }, options);
      return response.plugins.map((plugin) => ({
        type: plugin.type,
        id: plugin.id,
        platforms: plugin.platforms.map(normalizePlatform),
        exports: plugin.exports,
        capabilities: plugin.capabilities,
        failure: plugin.initErr?.message,
      }));
    });
  return {
    plugins,
    server: (options) =>
      callService("ask for the daemon's id", async () => {
        const { uuid, pid, pidns } = await introspection.server({}, options);
        return {
          uuid,
          process: pid === 0n ? undefined : { pid: Number(pid), pidNamespace: Number(pidns) },
        };
      }),
    async daemonPlatform(options) {
      const differs = await plugins(
        ["type==io.containerd.differ.v1", "type==io.containerd.snapshotter.v1"],
        options,
      );
      const platform = differs.find(({ failure, platforms }) => failure === undefined && platforms.length > 0)
        ?.platforms[0];
      if (platform === undefined) {
        throw new ContainerdError("the daemon does not report its platform: none of its differs works", {
          kind: "failed-precondition",
        });
      }
      return platform;
    },
  };
}
