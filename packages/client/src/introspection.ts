import { type CallOptions, callService } from "./call.js";
import type { Context } from "./context.js";
import { ContainerdError } from "./error.js";
import { normalizePlatform, type Platform } from "./oci/platform.js";

/** A plugin of the daemon. */
export interface DaemonPlugin {
  /** `io.containerd.snapshotter.v1` and the like. */
  readonly type: string;
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  /** Why it does not work; undefined when it does. */
  readonly failure: string | undefined;
}

/** Who the daemon is. */
export interface DaemonIdentity {
  /** Kept across restarts. */
  readonly uuid: string;
  /** Its process, since containerd 1.7; undefined before. */
  readonly process: DaemonProcess | undefined;
}

export interface DaemonProcess {
  readonly pid: number;
  /** Inode of the pid namespace that `pid` is a number in, as `/proc/self/ns/pid` shows it. */
  readonly pidNamespace: number;
}

/** What the daemon tells of itself (`services/introspection/v1`). */
export interface Introspection {
  /** @param filters containerd's filter language: `type==io.containerd.snapshotter.v1`. */
  plugins(filters?: readonly string[], options?: CallOptions): Promise<DaemonPlugin[]>;
  server(options?: CallOptions): Promise<DaemonIdentity>;
  /** The platform that the daemon runs containers for: that of its differ, which unpacks images. */
  daemonPlatform(options?: CallOptions): Promise<Platform>;
}

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
      callService("ask who the daemon is", async () => {
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
        throw new ContainerdError("the daemon does not tell its platform: it has no differ that works", {
          kind: "failed-precondition",
        });
      }
      return platform;
    },
  };
}
