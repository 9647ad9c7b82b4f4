import { type CallOptions, call } from "./call.js";
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

/** What the daemon tells of itself (`services/introspection/v1`). */
export interface Introspection {
  /** @param filters containerd's filter language: `type==io.containerd.snapshotter.v1`. */
  plugins(filters?: readonly string[], options?: CallOptions): Promise<DaemonPlugin[]>;
  /** The daemon's identity, kept across restarts. */
  server(options?: CallOptions): Promise<{ uuid: string }>;
  /** The platform that the daemon runs containers for: that of its differ, which unpacks images. */
  daemonPlatform(options?: CallOptions): Promise<Platform>;
}

export function createIntrospection({ services: { introspection } }: Context): Introspection {
  const plugins: Introspection["plugins"] = (filters = [], options) =>
    call("list the daemon's plugins", async () => {
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
      call("ask who the daemon is", async () => ({ uuid: (await introspection.server({}, options)).uuid })),
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
