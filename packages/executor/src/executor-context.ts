import { currentOwner } from "@wfe-containerd/client/internal";
import { parseBridge } from "./core/network/bridge.js";
import { parseRuntimes } from "./core/plan/runtime.js";
import { parsePolicy } from "./core/policy/policy.js";
import type { ExecutorOptions } from "./executor-options.js";
import { createKnownImages } from "./image/known-images.js";
import { createUserFileCache } from "./image/user-file-cache.js";
import { FIFO_IO, FILE_IO } from "./io/backend.js";
import { parseLogLimit } from "./log/log-limit.js";
import { checkIdRange } from "./machine/id-range.js";
import { createIoDirectory } from "./machine/io-directory.js";
import { createMachines } from "./machine/machines.js";
import { checkDuration } from "./options.js";
import { createReaper, type Reaper } from "./record/reaper.js";
import { createBaseLayers } from "./resources/base-layers.js";
import type { ExecutorContext } from "./stages/context.js";

const DEFAULT_CAPTURE_BYTES = 1024 * 1024;
const DEFAULT_DAEMON_TIMEOUT_MS = 60_000;
const DEFAULT_REAP_INTERVAL_MS = 10 * 60_000;
const DEFAULT_ORPHAN_GRACE_MS = 5 * 60_000;

/**
 * What an executor makes of its options.
 *
 * @throws ExecutorError for invalid options.
 */
export function createContext(options: ExecutorOptions): ExecutorContext & { readonly reaper: Reaper } {
  const policy = parsePolicy(options.policy ?? {});
  const idRange = checkIdRange(options.userNamespace ?? {});
  const bridge = parseBridge(options.bridge);
  const { init } = options;
  const runtimes = parseRuntimes(options.runtimes ?? {});
  const binaries = Object.values(runtimes).flatMap(({ binary }) => (binary?.startsWith("/") ? [binary] : []));
  const programs = [...bridge.pluginDirs, bridge.dataDir, ...(init === undefined ? [] : [init]), ...binaries];
  let knownOwner: string | undefined;
  async function owner(): Promise<string> {
    knownOwner ??= await currentOwner();
    return knownOwner;
  }
  const ioDir = options.ioDir ?? process.env["WFE_IO_DIR"];
  const ioDirectory = createIoDirectory(ioDir, owner);
  const { reapIntervalMs = DEFAULT_REAP_INTERVAL_MS, orphanGraceMs = DEFAULT_ORPHAN_GRACE_MS } = options;
  const machines = createMachines(options.client, { bridge, init, idRange, ioDirectory });
  return {
    machines,
    reaper: createReaper({
      bridge,
      ioDir,
      intervalMs: checkDuration(
        "createExecutor",
        "reapIntervalMs",
        reapIntervalMs === false ? 0 : reapIntervalMs,
      ),
      orphanGraceMs: checkDuration("createExecutor", "orphanGraceMs", orphanGraceMs),
      daemons: machines.known,
    }),
    rules: { policy, ioDirectories: ioDirectory.paths, programs, runtimes },
    io: options.ioMode === "fifo" ? FIFO_IO : FILE_IO,
    pull: options.pull ?? {},
    knownImages: createKnownImages(),
    baseLayers: createBaseLayers(),
    readUserFiles: createUserFileCache(),
    logLimit: parseLogLimit(options),
    captureBytes: options.captureBytes ?? DEFAULT_CAPTURE_BYTES,
    daemonTimeoutMs: options.daemonTimeoutMs ?? DEFAULT_DAEMON_TIMEOUT_MS,
    owner,
  };
}
